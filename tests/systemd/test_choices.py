"""Options of tools/install on Debian 12 with systemd: one process with SQLite, PostgreSQL, Keystone.

The tests run in their order on one host and depend on each other.
"""

import re

import pytest

from tests.systemd import debian
from tests.systemd.page import LOGIN, commands

INSTALL = f"tools/install --wheels {debian.WHEELS}"
ALL = "cinder-lite-all.service"
#: What an installation leaves on the host, but for logs and data.
EVERYTHING = ("/etc/cinder /usr/local/bin /usr/local/lib/systemd /usr/local/lib/sysusers.d "
              "/usr/local/lib/tmpfiles.d /usr/local/lib/modules-load.d /etc/logrotate.d /etc/passwd")


def everything(host):
    """The sums and owners of all files that an installation makes or changes."""
    return host.run(f"for d in {EVERYTHING}; do [ ! -e $d ] || find $d -type f -exec md5sum {{}} + -exec stat -c '%a "
                    f"%U %G %n' {{}} +; "
                    "done")


def install_anew(host, flags):
    """Another installation on the same host, as the installer says it is done."""
    host.run(f"cd /srv/cinder-lite; tools/install --remove; rm -rf /etc/cinder.former; mv /etc/cinder "
             f"/etc/cinder.former; "
             f"{INSTALL} {flags}")


def create_and_attach(run):
    run("cinder-lite create 1 --name first --wait")
    run(commands("Attaching a volume manually"))
    found = run("lsblk -dno TRAN,SIZE $(disk)").split()
    assert found == ["iscsi", "1G"], run("lsblk -a; ls -l /dev/disk/by-path; dmesg | tail -n 20; TGT_IPC_SOCKET="
                                         "/run/cinder-lite-tgt/socket runuser -u cinder tgtadm -- --op show --mode "
                                         "target")
    run("head -c 8M /dev/urandom >data; dd if=data of=$(disk) bs=1M oflag=direct status=none")


def well(run):
    """What the operator's command finds, and that it leaves nothing which the service cannot use."""
    assert run("cinder-lite-manage config check").endswith("Configuration is valid.")
    assert run("find /var/lib/cinder /var/log/cinder ! -user cinder") == ""


def detach(run):
    run('node --logout; node -o delete; cinder-lite --os-volume-api-version 3.54 attachment-delete "$(field id)"')


def test_a_dry_run_says_all_and_does_nothing(host):
    host.run("; ".join(commands("Installation").splitlines()[:2]))
    before = everything(host)
    said = host.run(f"cd /srv/cinder-lite; {INSTALL} --backend lvm --dry-run")
    for words in ("would install the Debian packages python3-venv", "tgt", "the user cinder",
                  "would write /etc/cinder/cinder.conf",
                  "/etc/cinder/htpasswd", "/opt/cinder-lite", "db sync",
                  f"start cinder-lite.target cinder-lite-privsep.socket {ALL}"):
        assert words in said
    assert everything(host) == before
    assert host.run("dpkg-query -Wf '${Status}' tgt 2>/dev/null || true") != "install ok installed"


def test_a_group_that_is_missing_is_refused(host):
    status, said = host.call(f"cd /srv/cinder-lite; {INSTALL} --backend lvm --volume-group other")
    assert status == 1 and "there is no volume group other" in said


def test_one_process_does_it_all(host, run):
    host.run(f"cd /srv/cinder-lite; umask 077; {INSTALL} --backend lvm")
    assert run(f"systemctl is-active cinder-lite.target {ALL}").split() == ["active"] * 2
    assert "1 of 1 backends up" in run(f"systemctl show -P StatusText {ALL}")
    assert run("systemctl --failed --quiet --plain") == ""
    assert run("systemctl is-enabled cinder-lite-api || true") == "disabled"
    well(run)
    create_and_attach(run)


def test_nobody_gets_in_without_the_password(run):
    assert "401" in run("OS_PASSWORD=wrong cinder-lite list 2>&1 || true")
    assert "first" in run("cinder-lite list")


#: Asks the API until the file is gone, each time by a new connection; ends with 1 when it was refused or cut off once.
ASKS = """
import os, time, urllib.request
asked = 0
while os.path.exists("asking"):
    assert urllib.request.urlopen("http://127.0.0.1:8776/healthcheck", timeout=300).read() == b"OK"
    asked += 1
    time.sleep(0.1)
print("asked", asked)
"""


def test_installing_again_changes_nothing_and_refuses_nobody(host, run):
    before, old = everything(host), run(f"pid {ALL}")
    run("touch asking; systemd-run -q --unit=asks -p WorkingDirectory=$PWD -p StandardOutput=truncate:$PWD/asked "
        f"-p StandardError=inherit python3 -c '{ASKS}'")
    host.run(f"cd /srv/cinder-lite; {INSTALL}")
    assert everything(host) == before and run(f"pid {ALL}") != old
    assert host.run("cd /opt; ls -d cinder-lite*; readlink cinder-lite").split() == ["cinder-lite", "cinder-lite-2",
                                                                                     "cinder-lite-2"]
    run("rm asking")
    host.until("! systemctl is-active asks")
    assert int(run("cat asked").removeprefix("asked ")) > 10
    run("cmp -n 8388608 data $(disk)")
    assert run("status first") == "in-use"


def test_the_process_that_is_killed_is_started_again(host, run):
    old = run(f"pid {ALL}")
    run(f"cinder-lite create 1 --name killed >/dev/null; kill -9 {old}")
    host.until(f"{LOGIN} [ $(pid {ALL}) != {old} ] && systemctl is-active {ALL}", limit=300)
    host.until(f"{LOGIN} [ $(status killed) = available ]", limit=300)
    run("cmp -n 8388608 data $(disk)")


@pytest.mark.parametrize("change, said", [
    ("sed -i 's/^volume_driver = .*/volume_driver = nonsense/'", "there is no 'nonsense'"),
    ("sed -i 's/^auth_strategy = .*/auth_strategy = trust/'", "but found 'trust'"),
    ("chmod 600", "/etc/cinder/cinder.conf"),
])
def test_settings_that_cannot_work_are_said_in_the_status_line(host, run, change, said):
    run(f"cp -a /etc/cinder/cinder.conf saved; {change} /etc/cinder/cinder.conf")
    run(f"systemctl restart --no-block {ALL}")
    host.until(f"systemctl is-failed {ALL}", limit=300)
    assert said in run(f"systemctl show -P StatusText {ALL}")
    assert run(f"systemctl show -P ExecMainStatus {ALL}; systemctl show -P NRestarts {ALL}").split() == ["78", "0"]
    run(f"cp -a saved /etc/cinder/cinder.conf; systemctl start {ALL}")


def test_postgresql_and_files(host, run):
    detach(run)
    install_anew(host, "--services --database postgresql")
    assert "postgresql+psycopg" in run("cat /etc/cinder/cinder.conf")
    names = [f"cinder-lite-{name}" for name in ("api", "scheduler", "volume", "backup", "tgt")]
    assert run(f"systemctl is-active cinder-lite.target {' '.join(names)}").split() == ["active"] * 6
    create_and_attach(run)
    assert "first" in run("runuser -u postgres -- psql -Atc 'SELECT name FROM volumes' cinder")
    well(run)


def test_volumes_and_backups_elsewhere(host, run):
    detach(run)
    run("cinder-lite delete --wait first; install -d -o cinder -g cinder /srv/volumes")
    run("sed -i -e 's|^file_volume_dir = .*|file_volume_dir = /srv/volumes|' "
        "-e 's|^log_dir|backup_posix_path = /srv/backups\\n&|' /etc/cinder/cinder.conf; systemctl restart "
        "cinder-lite-volume")
    host.until("systemctl show -P StatusText cinder-lite-volume | grep 'ReadWritePaths='")
    run(commands("Other directories for volumes or backups"))
    host.until("systemctl show -P StatusText cinder-lite-volume | grep '1 of 1 backends up'")
    create_and_attach(run)
    run("cinder-lite backup-create first --name copy --force --wait")
    assert run("ls /srv/volumes").startswith("volume-") and run("find /srv/backups -name manifest") != ""
    detach(run)


def test_keystone(host):
    install_anew(host, "--backend lvm --auth keystone --keystone-url http://127.0.0.1:5000/v3")
    assert host.run(f"systemctl is-active {ALL}") == "active"
    said = host.run("/opt/cinder-lite/bin/python -c 'import requests; "
                    "found = requests.get(\"http://127.0.0.1:8776/v3/volumes\"); print(found.status_code, "
                    "found.headers)'")
    assert said.startswith("401") and re.search("Www-Authenticate.*http://127.0.0.1:5000/v3", said, re.I)
    well(host.run)


def test_a_ceph_that_is_not_there_is_said_in_the_status_line(host):
    install_anew(host, "--backend rbd")
    assert host.run(f"systemctl is-active {ALL}") == "active"
    host.until(f"systemctl show -P StatusText {ALL} | grep '0 of 1 backends up'")
    assert "/etc/ceph/ceph.conf" in host.run(f"systemctl show -P StatusText {ALL}")
    assert host.run("systemctl is-enabled cinder-lite-tgt || true") == "disabled"


def test_remove_leaves_nothing_but_data(host):
    host.run("cd /srv/cinder-lite; tools/install --remove")
    assert host.run("systemctl list-unit-files --no-legend 'cinder-lite*' || true") == ""
    assert host.run("ps -o args= -u cinder || true") == ""
    for flags in ("--remove", "--remove --dry-run"):
        assert "would" not in host.run(f"cd /srv/cinder-lite; tools/install {flags}")
    host.run("ls /etc/cinder/cinder.conf /var/lib/cinder/cinder.sqlite; lvs | grep volume-")
