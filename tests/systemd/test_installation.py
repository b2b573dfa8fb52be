"""The life of an installation on a Debian 12 with systemd: what docs/install.md says is typed, then things go wrong.

The tests are the chapters of one story, in their order, on one host.
"""

import re

import pytest

from tests.systemd import debian

UNITS = [f"cinder-lite-{name}.service" for name in ("api", "scheduler", "volume", "backup")]
ALL = ["cinder-lite.target", "cinder-lite-privsep.socket", "cinder-lite-tgt.service", *UNITS]
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
    """The commands of a chapter of the page."""
    chapter = (debian.TOP / "docs/install.md").read_text().split(f"# {title}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^    (.*)", chapter, re.M))


@pytest.fixture(scope="module")
def host():
    debian.prepare()
    with debian.Host() as host:
        yield host


@pytest.fixture
def run(host):
    return lambda script: host.run(f"{LOGIN}\n{script}")


def active(host):
    host.until(f"systemctl is-active {' '.join(ALL)}", limit=300)


def test_the_page_leads_from_nothing_to_a_running_service(host):
    # The host reaches no network: Python's packages come from a directory.
    typed = commands("Installing it for production").replace("tools/install", f"tools/install --wheels {debian.WHEELS}")
    assert "systemctl status" in typed and "--services" in typed
    host.run(f"cd /srv/cinder-lite; {typed}")
    states = host.run(f"systemctl is-active {' '.join(ALL)}").split()
    assert states == ["active"] * len(ALL)
    assert host.run("systemctl --failed --quiet --plain") == ""


def test_status_lines_say_how_it_does(host):
    assert "2 of 2 workers ready" in host.run("systemctl show -P StatusText cinder-lite-api")
    assert "1 of 1 backends up, 0 jobs running" in host.run("systemctl show -P StatusText cinder-lite-volume")


def test_settings_are_the_services_alone(host):
    for path, wanted in {"/etc/cinder": "750 root cinder", "/etc/cinder/cinder.conf": "640 root cinder",
                         "/etc/cinder/admin.rc": "600 root root", "/var/lib/cinder": "750 cinder cinder",
                         "/var/log/cinder": "750 cinder cinder"}.items():
        assert host.run(f"stat -c '%a %U %G' {path}") == wanted, path
    running = host.run("ps -o user= -C cinder-lite-api,cinder-lite-vol,cinder-lite-sch,cinder-lite-bac,tgtd").split()
    assert len(running) >= 7 and set(running) == {"cinder"}
    assert "Seccomp:\t2" in host.run(f"{LOGIN} cat /proc/$(pid cinder-lite-volume)/status")


def test_a_volume_is_attached_as_the_page_says(run):
    run(commands("Attaching a volume by hand"))
    assert run("lsblk -dno TRAN,SIZE $(disk)").split() == ["iscsi", "1G"]
    run("head -c 8M /dev/urandom >data; dd if=data of=$(disk) bs=1M oflag=direct status=none")
    assert run("status first") == "in-use"


def test_install_again_says_what_it_would_do_and_keeps_settings(host):
    before = host.run("md5sum /etc/cinder/*")
    said = host.run("cd /srv/cinder-lite; tools/install --dry-run")
    assert "would install this checkout again" in said and "would write" not in said
    status, said = host.call("cd /srv/cinder-lite; tools/install --backend file --dry-run")
    assert status == 2 and "this machine was installed with backend = lvm" in said
    assert host.run("md5sum /etc/cinder/*") == before


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_that_is_killed_is_started_again_and_nothing_is_stuck(host, run, unit):
    old = run(f"pid {unit}")
    run(f"cinder-lite create 1 --name of-{unit} >/dev/null; kill -9 {old}")
    host.until(f"{LOGIN} [ $(pid {unit}) != {old} ] && systemctl is-active {unit}", limit=300)
    host.until(f"{LOGIN} [ $(status of-{unit}) = available ]", limit=300)
    run(f"cinder-lite delete --wait of-{unit}")


def test_a_stop_during_a_copy_hands_it_on(host, run):
    run("cinder-lite create 1 --name copied --wait >/dev/null")
    run("dd if=/dev/urandom of=/dev/cinder-volumes/volume-$(cinder-lite show copied | "
        "sed -n 's/^| *id *| *\\([^ |]*\\).*/\\1/p') bs=1M oflag=direct count=1000 status=none")
    run("cinder-lite backup-create copied --name copy >/dev/null")
    host.until("systemctl show -P StatusText cinder-lite-backup | grep '1 jobs running'")
    run("systemctl stop cinder-lite-backup")
    assert run("systemctl show -P Result cinder-lite-backup") == "success"
    assert re.search("creating|available", run("cinder-lite backup-list | grep copy"))
    run("systemctl start cinder-lite-backup")
    host.until(f"{LOGIN} cinder-lite backup-list | grep copy | grep available", limit=600)


def test_after_a_reboot_volumes_in_use_are_exported_again(host, run):
    host.reboot()
    active(host)
    run("node --login; udevadm settle; cmp -n 8388608 data $(disk)")
    assert run("status first") == "in-use"


def test_remove_leaves_data_and_settings(host, run):
    run("node --logout; tools/install --remove")
    assert host.run("systemctl list-unit-files --no-legend 'cinder-lite*' || true") == ""
    assert host.run("ls -d /opt/cinder-lite /usr/local/bin/cinder* /etc/logrotate.d/cinder* 2>/dev/null || true") == ""
    assert "volume-" in host.run("lvs")
    host.run("ls /etc/cinder/cinder.conf /var/lib/cinder /var/log/cinder/cinder-lite-api.log")
    assert host.run("systemctl --failed --quiet --plain") == ""
