"""The settings that tools/install writes: valid options, unique secrets, refused choices."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from cinder_lite import conf as configuration
from cinder_lite.api.auth import keystone
from cinder_lite.conf import unread
from cinder_lite.volume.backends import Backend
from tests.services import processes

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS / "installer"))

import install  # noqa: E402
import settings  # noqa: E402

KEYSTONE = {"auth": "keystone", "keystone_url": "http://keystone:5000/v3"}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    """Where settings lie, in place of /etc/cinder."""
    for name in ("CONF", "CHOICES", "LOGIN", "CLOUDS", "HTPASSWD", "HTROLES"):
        monkeypatch.setattr(settings, name, str(tmp_path / pathlib.Path(getattr(settings, name)).name))
    return tmp_path


def written(directory, **choices):
    """Write the settings for the choices; returns {file name: text}."""
    files = settings.files(settings.Choices(**choices))
    for path, text in files.items():
        pathlib.Path(path).write_text(text)
    return {pathlib.Path(path).name: text for path, text in files.items()}


@pytest.mark.parametrize("choices", [
    {}, {"backend": "lvm", "volume_group": "fast-disks"}, {"backend": "rbd"}, {"services": True},
    {"services": True, "database": "postgresql", "backend": "lvm", "address": "10.0.0.5"}, KEYSTONE,
], ids=str)
def test_the_services_understand_every_setting(directory, choices):
    written(directory, **choices)
    conf = configuration.load(argv=["--config-file", settings.CONF])
    backend = choices.get("backend", "file")
    assert conf.enabled_backends == [backend]
    Backend(conf, backend)  # declares its section's options
    assert unread.unread(conf) + unread.unread(conf, [backend]) == []
    assert conf.osapi_volume_listen == choices.get("address", "127.0.0.1")
    if "auth" in choices:
        assert keystone.configuration_error(conf) is None


BROKERS = "rabbit://cinder:s@10.91.0.11:5672,cinder:s@10.91.0.12:5672/cinder"
CLUSTER = f"""[DEFAULT]
transport_url = {BROKERS}
[database]
connection = mysql://cinder:s@10.91.0.100/cinder?read_timeout=15
[login]
address = 10.91.0.100
password = known
"""


def test_hosts_of_a_cluster_share_its_servers_and_its_login(directory, monkeypatch):
    monkeypatch.setattr(install, "is_installed", lambda _package: False)
    file = directory / "cluster.conf"
    file.write_text(CLUSTER)
    choices, _ = settings.parse(["--services", "--cluster", str(file)])
    assert {"mariadb-server", "rabbitmq-server"}.isdisjoint(install.packages(choices, None))
    assert not any(step.needed for step in install.installing(choices, None) if "RabbitMQ" in step.text)
    texts = written(directory, services=True, cluster=str(file))
    assert "http://10.91.0.100:8776/v3" in texts["admin.rc"] and settings.login_password() == "known"
    file.unlink()  # it has passwords, and a later run does not need it
    assert settings.parse([])[0] == choices and settings.wants_mysqlclient(choices)
    conf = configuration.load(argv=["--config-file", settings.CONF])
    assert (conf.transport_url, conf.database.connection.partition("@")[2]) == (
        BROKERS, "10.91.0.100/cinder?read_timeout=15")
    rabbit = conf.oslo_messaging_rabbit
    assert rabbit.rabbit_quorum_queue and rabbit.rabbit_transient_quorum_queue
    assert rabbit.heartbeat_timeout_threshold == 10
    assert unread.unread(conf) == []


def test_each_server_gets_a_separate_password(directory):
    written(directory, services=True)
    first = settings.passwords()
    assert all(re.fullmatch(r"[\w-]{32}", password) for password in first)
    texts = written(directory, services=True, database="postgresql")
    passwords = {*first, *settings.passwords(), settings.login_password()}
    assert len(passwords) == 5 and settings.login_password() in texts["admin.rc"]


def test_the_tracing_extra_is_installed_if_traces_are_enabled(directory):
    assert settings.extras() == ""
    written(directory)
    assert settings.extras() == ""
    with open(settings.CONF, "a") as file:
        file.write("[tracing]\nenabled = True\n")
    assert settings.extras() == "[tracing]"


@pytest.mark.parametrize("database, there, packages", [
    ("mariadb", [], {"libmariadb-dev", "gcc", "libc6-dev", "pkg-config", "python3-dev"}),
    ("mariadb", ["PyMySQL-1.2.4-py3-none-any.whl", "mysqlclient-2.3.2-cp311-cp311-linux_x86_64.whl"], {"libmariadb3"}),
    ("postgresql", [], set())])
def test_the_driver_of_mariadb_is_built_unless_a_wheel_is_there(directory, monkeypatch, database, there, packages):
    monkeypatch.setattr(install, "is_installed", lambda _package: False)
    for name in there:
        (directory / name).touch()
    without = {*install.packages(settings.Choices(services=True, database="postgresql"), None), "mariadb-server"}
    found = install.packages(settings.Choices(services=True, database=database), str(directory) if there else None)
    assert {*found} - without == packages


@pytest.mark.parametrize("url, wanted", [("mysql", True), ("mariadb", True), ("mysql+mysqldb", True),
                                         ("mysql+pymysql", False), ("postgresql+psycopg", False)])
def test_an_upgrade_installs_the_driver_that_the_settings_name(directory, url, wanted):
    choices = settings.Choices(services=True)
    text = written(directory, services=True)["cinder.conf"]
    assert settings.wants_mysqlclient(choices)
    (directory / "cinder.conf").write_text(text.replace("connection = mysql:", f"connection = {url}:"))
    assert settings.wants_mysqlclient(choices) == wanted


def test_the_embedded_installation_needs_no_server(directory):
    written(directory)
    assert settings.passwords() == (None, None)


@pytest.mark.parametrize("address, host", [("10.0.0.5", "10.0.0.5"), ("fd00::5", "[fd00::5]")])
def test_volumes_and_the_api_are_offered_on_the_address(directory, address, host):
    texts = written(directory, backend="lvm", address=address)
    assert f"target_ip_address = {address}\n" in texts["cinder.conf"]
    assert f"http://{host}:8776/v3" in texts["admin.rc"]


def test_choices_need_not_be_repeated(directory):
    written(directory, backend="lvm", services=True)
    choices, other = settings.parse(["--dry-run"])
    assert choices == settings.Choices(backend="lvm", services=True) and other.dry_run
    assert json.loads((directory / "install.json").read_text()) == dataclasses.asdict(choices)


@pytest.mark.parametrize("said, why", [
    (["--backend", "zfs"], "invalid choice: 'zfs'"),
    (["--auth", "keystone"], "--auth keystone needs --keystone-url"),
    (["--volume-group", "a b"], "--volume-group cannot be 'a b'"),
    (["--address", "eth1"], "--address cannot be 'eth1'"),
    (["--address", "0.0.0.0"], "--address cannot be '0.0.0.0', which is not an address of this machine"),
    (["--address", "::"], "--address cannot be '::'"),
    (["--address", "192.0.2.77"], "--address cannot be '192.0.2.77', which is not an address of this machine"),
    (["--address", "127.1"], "--address cannot be '127.1'"),
    (["--cluster", "/etc/cluster.conf"], "--cluster needs --services and the absolute path of a file"),
    (["--services", "--cluster", "cluster.conf"], "--cluster needs --services and the absolute path of a file"),
    (["--services", "--cluster", "/nosuch"], "--cluster: /nosuch has no [DEFAULT] transport_url"),
])
def test_invalid_choices_are_refused(capsys, said, why):
    with pytest.raises(SystemExit):
        settings.parse(said)
    assert why in capsys.readouterr().err


def test_an_installation_is_removed_although_its_address_is_gone(directory):
    written(directory, address="192.0.2.77")
    assert settings.parse(["--remove"])[1].remove


def test_other_choices_than_those_installed_are_refused(directory, capsys):
    written(directory, backend="lvm")
    with pytest.raises(SystemExit):
        settings.parse(["--backend", "file"])
    assert "this machine was installed with backend = lvm" in capsys.readouterr().err


def test_help_lists_every_option():
    said = subprocess.run([TOOLS / "install", "--help"], capture_output=True, text=True, check=True).stdout
    for field in dataclasses.fields(settings.Choices):
        assert f"--{field.name.replace('_', '-')}" in said


@pytest.mark.parametrize("user", [0, 65534])
@pytest.mark.parametrize("flags", [[], ["--services", "--backend", "lvm"],
                                   ["--auth", "keystone", "--keystone-url", "http://k/v3"]])
def test_a_dry_run_prints_its_plan_on_any_machine(user, flags):
    place = processes.Directory("plan")
    shutil.copytree(TOOLS, f"{place.path}/tools")
    # As where there is neither Debian nor systemd.
    os.mkdir(f"{place.path}/bin", 0o755)
    os.symlink("/usr/bin/dirname", f"{place.path}/bin/dirname")
    done = subprocess.run(["/bin/bash", f"{place.path}/tools/install", "--dry-run", *flags], cwd="/",
                          capture_output=True, text=True,
                          env={"PATH": f"{place.path}/bin"}, **({"user": user} if os.getuid() == 0 else {}))
    place.remove()
    assert done.returncode == 0, done.stdout + done.stderr
    plan = done.stdout.splitlines()
    assert [line.split()[1] for line in plan[:-1]] == ["would"] * (len(plan) - 1) and "enable and start" in plan[-2]
    assert plan[-1].startswith("On this machine the installation would be refused: "
                               "") and ("needs root" in plan[-1]) == (user != 0 or os.getuid() != 0)


def test_packages_from_a_directory_that_is_not_there_are_refused(capsys):
    with pytest.raises(SystemExit):
        settings.parse(["--wheels", "/nosuch"])
    assert "there is no directory /nosuch" in capsys.readouterr().err


def test_a_login_of_a_former_release_is_rewritten_with_its_password(directory):
    written(directory)
    with open(settings.LOGIN, "w") as file:
        file.write("export OS_AUTH_TYPE=http_basic OS_ENDPOINT=http://127.0.0.1:8776/v3\nexport OS_PASSWORD=kept\n")
    os.unlink(settings.CLOUDS)
    files = settings.files(settings.Choices())
    assert {path for path in files if settings.is_to_be_written(path)} == {settings.LOGIN, settings.CLOUDS}
    assert "OS_PASSWORD=kept" in files[settings.LOGIN] and '"kept"' in files[settings.CLOUDS]


def test_each_release_has_an_environment_and_only_the_last_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "VENV", tmp_path / "cinder-lite")
    there = lambda: sorted(path.name for path in tmp_path.iterdir())  # noqa: E731
    install.VENV.mkdir()  # as releases had it before
    for number in (1, 2):
        made = install.next_environment()
        made.mkdir()
        assert made.name == f"cinder-lite-{number}"
        install.turn_to(made)
        assert install.VENV.is_symlink() and install.VENV.resolve() == made
        if number == 1:
            assert there() == ["cinder-lite", "cinder-lite-0", "cinder-lite-1"]
        install.remove_former_environments()
        assert there() == ["cinder-lite", made.name]
