"""A Debian 12 that boots in the kernel lab, with the packages that an installation needs at hand."""

import json
import os
import pathlib
import subprocess
import sys

from tests.services.processes import until

TOP = pathlib.Path(__file__).resolve().parents[2]
ROOT = TOP / ".tox/debian"
WHEELS = "/srv/wheels"
#: What a server has; what the installation and its user fetch, of which nothing is installed before.
SERVER = "systemd-sysv udev dbus kmod iproute2 procps"
FETCHED = ("python3-venv qemu-utils logrotate tgt thin-provisioning-tools rabbitmq-server mariadb-server libmariadb3 "
           "postgresql ceph-common python3-rbd python3-rados qemu-block-extra")
TYPED = "lvm2 open-iscsi"
PREPARE = f"""
    set -e
    export DEBIAN_FRONTEND=noninteractive
    # A kernel in user mode gives processes 512 GiB of addresses; InnoDB would reserve 8 TiB of them.
    mkdir -p /etc/mysql/mariadb.conf.d
    printf '[mariadbd]\\ninnodb_buffer_pool_size_max = 1G\\n' >/etc/mysql/mariadb.conf.d/90-lab.cnf
    [ "$(cat /srv/prepared 2>/dev/null)" != "$1" ] || exit 0
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends {SERVER}
    apt-get install -y -qq --no-install-recommends --download-only {FETCHED}
    apt-get install -y -qq --download-only {TYPED}
    echo "$1" >/srv/prepared
"""


def prepare():
    """Make the root where it is not there, with the last commit in /srv/cinder-lite."""
    subprocess.run([TOP / "tools/chroot-check", ROOT, "bash", "-c", PREPARE, "prepare", f"{SERVER} {FETCHED} {TYPED}"],
                   check=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-c", TOP / "constraints.txt", "-d",
                    f"{ROOT}{WHEELS}",
                    TOP, "setuptools", "uv"], check=True)
    # It has no wheel to download.
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "-c", TOP / "constraints.txt", "-w", f"{ROOT}{WHEELS}",
                    "--no-deps", "mysqlclient"], check=True)


class Host:
    """The Debian, booted, with an empty disk as /dev/vdb; used as a context."""

    def __enter__(self):
        self._lab = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", TOP / "tools/kernel-lab", "--root", ROOT, "--disk", "8G", "--memory",
             "2G",
             "--", sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(TOP)})
        self._booted()
        return self

    def __exit__(self, *_):
        self._lab.kill()
        self._lab.wait()

    def call(self, script):
        """Run a script of bash as root; returns (status, what it said on both streams)."""
        self._lab.stdin.write(json.dumps(script) + "\n")
        self._lab.stdin.flush()
        return json.loads(self._lab.stdout.readline())

    def run(self, script):
        """The output of a script, which has to succeed."""
        status, said = self.call(f"set -euo pipefail; {script}")
        assert status == 0, f"{script}\n{said}"
        return said.strip()

    def until(self, script, limit=120):
        """Wait until a script succeeds; its output."""
        def succeeds():
            status, said = self.call(script)
            return (said.strip(),) if status == 0 else None

        return until(succeeds, limit, script, every=0.5)[0]

    def reboot(self):
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        self.call("systemctl reboot")
        self.until(f'[ "$(cat /proc/sys/kernel/random/boot_id)" != {before} ]', limit=300)
        self._booted()

    def _booted(self):
        self.until("systemctl is-system-running --wait; ln -sf ubdb /dev/vdb", limit=600)
        # As Debian's installer leaves it.
        self.run("grep -qw $(hostname) /etc/hosts || echo 127.0.1.1 $(hostname) >>/etc/hosts")


def relay():
    """Within the lab: take scripts from the input, run them on the host and answer with their status and output."""
    for line in sys.stdin:
        done = subprocess.run(
            [TOP / "tools/kernel-lab", "--on", "1", "--", "bash", "-c", f"exec 2>&1; {json.loads(line)}"], cwd="/",
            text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
                "KERNEL_LAB": os.environ["KERNEL_LAB"], "KERNEL_LAB_HOSTS": os.environ["KERNEL_LAB_HOSTS"],
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
        print(json.dumps([done.returncode, done.stdout]), flush=True)


if __name__ == "__main__":
    relay()
