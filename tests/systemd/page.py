"""The commands of docs/install.md, and further commands of the tests."""

import re

from tests.systemd import debian

#: Puts the login and what the page defines into a script.
LOGIN = """
    cd /srv/cinder-lite
    . /etc/cinder/admin.rc
    field() { sed -n "s/^| *$1 *| *\\([^ |]*\\).*/\\1/p" attachment; }
    node() { iscsiadm -m node -T "$(field target_iqn)" -p "$(field target_portal)" "$@"; }
    disk() { udevadm settle; ls /dev/disk/by-path/*"$(field target_iqn)"*; }
    status() { cinder-lite show "$1" | sed -n 's/^| *status *| *\\([^ |]*\\).*/\\1/p'; }
    pid() { systemctl show -P MainPID "$1"; }
"""


def commands(title):
    """The commands of a chapter of the page.

    The host reaches no network: Python's packages come from a directory.
    """
    chapter = (debian.TOP / "docs/install.md").read_text().split(f"# {title}\n")[1].split("\n## ")[0]
    typed = "\n".join(re.findall(r"^    (.*)", chapter, re.M))
    return f"cd /srv/cinder-lite; {typed}".replace("tools/install", f"tools/install --wheels {debian.WHEELS}")
