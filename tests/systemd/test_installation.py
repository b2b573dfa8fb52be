"""An installation on Debian 12 with systemd: the commands of docs/install.md, then failures.

The tests run in their order on one host and depend on each other.
"""

import re

import pytest

from tests.systemd.page import LOGIN, commands

UNITS = [f"cinder-lite-{name}.service" for name in ("api", "scheduler", "volume", "backup")]
ALL = ["cinder-lite.target", "cinder-lite-privsep.socket", "cinder-lite-tgt.service", *UNITS]
#: What `systemd-analyze security` may give at most, of 10.
EXPOSURE = 4.0


def active(host):
    host.until(f"systemctl is-active {' '.join(ALL)}", limit=300)


def test_the_page_leads_from_nothing_to_a_running_service(host):
    typed = commands("Installation")
    assert "systemctl status" in typed and "--services" in typed
    host.run(f"cd /srv/cinder-lite; {typed}")
    states = host.run(f"systemctl is-active {' '.join(ALL)}").split()
    assert states == ["active"] * len(ALL)
    assert host.run("systemctl --failed --quiet --plain") == ""


def test_status_lines_say_how_it_does(host):
    assert "2 of 2 workers ready" in host.run("systemctl show -P StatusText cinder-lite-api")
    assert "1 of 1 backends up, 0 jobs running" in host.run("systemctl show -P StatusText cinder-lite-volume")


def test_little_is_exposed(host):
    found = re.findall(r"(cinder-lite\S+) +([\d.]+)", host.run("systemd-analyze security --no-pager"))
    assert {name for name, _ in found} >= {*UNITS, "cinder-lite-tgt.service"}
    assert {name: float(exposure) for name, exposure in found if float(exposure) > EXPOSURE} == {}


def test_settings_are_the_services_alone(host):
    for path, wanted in {"/etc/cinder": "750 root cinder", "/etc/cinder/cinder.conf": "640 root cinder",
                         "/etc/cinder/admin.rc": "600 root root", "/etc/cinder/clouds.yaml": "600 root root",
                         "/var/lib/cinder": "750 cinder cinder",
                         "/var/log/cinder": "750 cinder cinder"}.items():
        assert host.run(f"stat -c '%a %U %G' {path}") == wanted, path
    running = host.run("ps -o user= -C cinder-lite-api,cinder-lite-vol,cinder-lite-sch,cinder-lite-bac,tgtd").split()
    assert len(running) >= 7 and set(running) == {"cinder"}
    assert "Seccomp:\t2" in host.run(f"{LOGIN} cat /proc/$(pid cinder-lite-volume)/status")


def test_a_volume_is_attached_as_the_page_says(run):
    run(commands("Attaching a volume manually"))
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


def test_the_operators_command_is_the_service_when_root_starts_it(host, run):
    assert run("cinder-lite-manage config check").endswith("Configuration is valid.")
    assert run("cinder-lite-manage doctor").startswith("No inconsistencies found.")
    assert run("find /var/lib/cinder /var/log/cinder ! -user cinder") == ""
    run("umask 077; cinder-lite-manage export /var/backups/export; cinder-lite-manage restore /var/backups/export "
        "--settings /var/backups/restored")
    assert run("stat -c '%a %U' /var/backups/export /var/backups/restored/cinder.conf").split("\n") == ["600 root"] * 2


def test_one_id_leads_from_the_request_to_the_command(run):
    run("cinder-lite create 1 --name followed --wait")
    id = run("cinder-lite jobs --all-projects --limit 1 --json | grep -o 'req-[0-9a-f-]*'")
    found = dict(line.split(":", 1)
                 for line in run(f"cd /var/log/cinder; grep -m 1 {id} cinder-lite-*.log").splitlines())
    assert set(found) == {f"cinder-lite-{name}.log" for name in ("api", "scheduler", "volume")}
    assert "lvcreate" in run(f"grep {id} /var/log/cinder/cinder-lite-volume.log")


def test_services_go_on_in_new_logs_when_theirs_are_turned_over(run):
    run("logrotate -f /etc/logrotate.d/cinder-lite; ls /var/log/cinder/cinder-lite-api.log.1")
    run("cinder-lite create 1 --name turned --wait")
    for name in ("api", "scheduler", "volume"):
        assert run(f"stat -c '%a %U' /var/log/cinder/cinder-lite-{name}.log") == "640 cinder"
        assert run(f"grep -c req- /var/log/cinder/cinder-lite-{name}.log") != "0"


def test_each_service_shows_its_metrics(host, run):
    run("printf '[metrics]\\nenabled = true\\n' >>/etc/cinder/cinder.conf; systemctl restart cinder-lite.target")
    run("cinder-lite create 1 --name counted --wait")
    for name, port, wanted in (
            ("api", 9776, 'http_request_seconds_count{method="POST",route="/volumes",status="202"} 1.0'),
            ("scheduler", 9777, 'service_up{binary="cinder-backup"'),
            ("volume", 9778, 'job_seconds_count{action="create",kind="volume",outcome="succeeded"'),
            ("backup", 9779, 'database_use_seconds_count{kind="write"}')):
        shown = run("/opt/cinder-lite/bin/python -c 'import urllib.request as u; "
                    f"print(u.urlopen(\"http://127.0.0.1:{port}/metrics\").read().decode())'")
        assert f"cinder_lite_{wanted}" in shown, name


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_that_is_killed_is_started_again_and_nothing_is_stuck(host, run, unit):
    old = run(f"pid {unit}")
    run(f"cinder-lite create 1 --name of-{unit} >/dev/null; kill -9 {old}")
    host.until(f"{LOGIN} [ $(pid {unit}) != {old} ] && systemctl is-active {unit}", limit=300)
    host.until(f"{LOGIN} [ $(status of-{unit}) = available ]", limit=300)
    run(f"cinder-lite delete --wait of-{unit}")


def test_a_service_that_hangs_is_started_again(host, run):
    unit = "cinder-lite-scheduler"
    old = run(f"pid {unit}")
    run(f"kill -STOP {old}")
    host.until(f"{LOGIN} [ $(pid {unit}) != {old} ] && systemctl is-active {unit}", limit=600)
    assert "Watchdog timeout" in run(f"journalctl -u {unit}")


def test_hosts_wait_for_their_volumes_when_tgtd_is_killed(host, run):
    for _ in range(2):
        old = run("pid cinder-lite-tgt")
        run(f"kill -9 {old}; dd if=data of=$(disk) bs=1M oflag=direct conv=fsync status=none")
        assert run("pid cinder-lite-tgt") != old
    active(host)
    run("cmp -n 8388608 data $(disk)")
    assert run("dmesg | grep 'I/O error' || true") == ""


def test_services_wait_for_their_database_and_broker(host, run):
    run("systemctl stop cinder-lite.target mariadb rabbitmq-server; rm -f /var/log/cinder/*.log")
    run("systemctl start --no-block cinder-lite.target")
    for unit in UNITS:
        host.until(f"systemctl show -P StatusText {unit} | grep 'waiting for the database'", limit=300)
        host.until(f"grep 'WARNING.*the database' /var/log/cinder/{unit.removesuffix('.service')}.log")
    assert run("systemctl is-active cinder-lite-volume || true") == "activating"
    # What needs root it does itself, when it has no service to ask.
    run("systemctl stop cinder-lite-privsep.socket")
    said = run("cinder-lite-manage config check || true")
    assert re.findall("^PROBLEM +(\\w+)", said, re.M) == ["database", "broker"], said
    run("systemctl start cinder-lite-privsep.socket")
    run("systemctl start mariadb")
    host.until(f"{LOGIN} cinder-lite create 1 --name early", limit=300)
    run("systemctl start rabbitmq-server")
    active(host)
    host.until(f"{LOGIN} [ $(status early) = available ]", limit=300)


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


def test_nothing_that_is_logged_tells_a_secret(host, run):
    secrets = re.findall("cinder:([^@]+)@", run("cat /etc/cinder/cinder.conf"))
    secrets += run('echo "$OS_PASSWORD"; field auth_password').split()
    assert len(secrets) == 4
    assert all(int(lines) > 10 for lines in run("cat /var/log/cinder/*.log | wc -l; journalctl | wc -l").split())
    for secret in secrets:
        status, said = host.call(f"grep -rF -e {secret} /var/log/cinder; journalctl | grep -F -e {secret}")
        assert (status, said) == (1, "")


def test_remove_leaves_data_and_settings(host, run):
    run("node --logout; tools/install --remove")
    assert host.run("systemctl list-unit-files --no-legend 'cinder-lite*' || true") == ""
    assert host.run("ls -d /opt/cinder-lite /usr/local/bin/cinder* /etc/logrotate.d/cinder* 2>/dev/null || true") == ""
    assert "volume-" in host.run("lvs")
    host.run("ls /etc/cinder/cinder.conf /var/lib/cinder /var/log/cinder/cinder-lite-api.log")
    assert host.run("systemctl --failed --quiet --plain") == ""
