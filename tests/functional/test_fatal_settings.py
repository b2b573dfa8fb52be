"""Settings with which a daemon cannot run: it prints one line and exits with the status that prevents a restart.

'config check' reports the same.
"""

import ast
import os
import signal
import subprocess
import sys

import pytest

from cinder_lite.cmd import manage
from tests.functional.service import NULL, Apart, until
from tests.meta import source
from tests.meta.source import TOP

pytestmark = pytest.mark.once

KEYSTONE = ("auth_strategy = keystone\n[keystone_authtoken]\nauth_type = password\nauth_url = "
            "http://127.0.0.1:1/v3\nusername = c\n"
            "password = c\nproject_name = s\nuser_domain_id = d\nproject_domain_id = d\n")
BASIC = ("auth_strategy = http_basic\nhttp_basic_auth_user_file = {path}/passwords\nhttp_basic_auth_roles_file = "
         "{path}/roles\n")
NOTIFIES = "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = "
#: (daemon, options of DEFAULT and further sections, what it says): one for each reason to stay down.
REFUSED = [
    ("volume", "nonsense", "No ':' or '=' found in assignment: 'nonsense'"),
    ("all", "job_lease = soon", "job_lease"),
    ("api", "osapi_volume_listen_port = x", "osapi_volume_listen_port"),
    ("all", "auth_strategy = trust", "Valid values are [noauth, http_basic, keystone], but found 'trust'"),
    ("backup", "log_dir = /proc/nowhere", "the log cannot be written: "),
    ("backup", "log_file = {path}/roles/log", "the log cannot be written: "),
    ("backup", "log_config_append = /nowhere", "the log cannot be written: "),
    ("scheduler", "state_path = /proc/nowhere", "state_path /proc/nowhere cannot be made: "),
    ("all", "state_path = {path}/state", "state_path {path}/state cannot be used: "),
    ("scheduler", "[database]\nconnection = mongodb://here/c", "the database's URL is not like 'mysql://"),
    ("scheduler", "[database]\nconnection = mysql://me:s3/cret@here:port/c",
     "the database's URL is not like 'mysql://"),
    ("all", "scheduler_default_filters = X", "'X' does not exist; there are Av"),
    ("all", "scheduler_default_weighers = X", "'X' does not exist; there are Capac"),
    ("all", "transport_url = rabit://here/", "transport_url is not the URL"),
    ("all", "transport_url = rabbit://here:port/", "transport_url is not the URL"),
    ("all", "transport_url = kafka://here/", "transport_url is not the URL"),
    ("all", "transport_url = rabbit://here/?x=y", "transport_url is not the URL"),
    ("all", NOTIFIES + "rabit://here/", "[oslo_messaging_notifications] transport_url is not the URL"),
    ("all", NOTIFIES + "rabbit://here:port/", "[oslo_messaging_notifications] transport_url is not the URL"),
    ("all", "enabled_backends =", "enabled_backends is empty"),
    ("all", "[null-1]\nvolume_driver = nil", "[null-1] volume_driver: there is no 'nil'; there are: "),
    ("all", "[null-1]\nvolume_driver = cinder_lite.volume.drivers.null.NoDriver",
     "[null-1] volume_driver: there is no class"),
    ("all", "[null-1]\nvolume_driver = cinder.volume.drivers.nfs.NfsDriver",
     "[null-1] volume_driver: there is no class"),
    ("all", "[null-1]\ntarget_helper = scst", "[null-1] target_helper: there is no 'scst'; there are: "),
    ("all", "backup_driver = tape", "backup_driver: there is no 'tape'; there are: "),
    ("all", "backup_driver = cinder.backup.drivers.nfs.NFSBackupDriver", "backup_driver: there is no class"),
    ("api", "osapi_volume_listen = 0.0.0.0", "auth_strategy is noauth, which accepts every token"),
    ("api", "osapi_volume_listen = ::", "auth_strategy is noauth, which accepts every token"),
    ("api", "osapi_volume_listen = 192.0.2.77\nallow_noauth_anywhere = true", "the API cannot listen on 192.0.2.77"),
    ("api", BASIC.replace("/passwords", "/nowhere"), "{path}/nowhere cannot be read"),
    ("api", BASIC.replace("/passwords", "/sha"), "{path}/sha is wrong in line 1"),
    ("api", BASIC.replace("/roles", "/sha"), "{path}/sha is wrong in line 1"),
    ("api", BASIC.replace("/roles", "/others"), "no user is both in"),
    ("api", "auth_strategy = keystone", "[keystone_authtoken] is incomplete: it needs auth_type"),
    ("api", KEYSTONE.replace("password = c", ""), "[keystone_authtoken] is incomplete: it needs password"),
    ("api", KEYSTONE.replace("= password", "= pigeon"), "auth_type is pigeon"),
    ("api", KEYSTONE + "memcached_servers = 127.0.0.1:1\nmemcache_security_strategy = MAC",
     "[keystone_authtoken] cannot be used"),
    ("all", "[oslo_policy]\npolicy_file = {path}/no-yaml", "the policy file is invalid: "),
    ("all", "[oslo_policy]\npolicy_file = {path}/list", "the policy file is invalid: "),
]
#: Functions that say that a setting cannot be, and what beside a row of REFUSED shows that 'config check' says it too.
REFUSING = {
    "cinder_lite/api/auth/strategy.py check_configuration": None, "cinder_lite/api/listener.py _misconfigured": None,
    "cinder_lite/backup/stores/__init__.py load": None, "cinder_lite/db/drivers.py url_of": None,
    "cinder_lite/db/migrate.py current": "test_migrate: a server without DELETE ... RETURNING",
    "cinder_lite/db/migrate.py expect_current": "test_manage_settings: a database that was not synced",
    "cinder_lite/conf/plugins.py load": None, "cinder_lite/conf/plugins.py _at_path": None,
    "cinder_lite/conf/plugins.py _loaded": "test_outside: a package whose entry points are broken",
    "cinder_lite/conf/plugins.py function": "test_outside: an action's function in the package that adds it",
    "cinder_lite/jobs/handlers.py _bound": "test_actions: every name of the table leads somewhere; not a setting",
    "cinder_lite/conf/__init__.py _register_added": "as plugins._loaded",
    "cinder_lite/api/installed.py routes": "the same",
    "cinder_lite/api/policy.py rules": "the same", "cinder_lite/jobs/installed.py register_actions": "the same",
    "cinder_lite/api/enforcer.py _load": None,
    "cinder_lite/service/process.py __init__": None, "cinder_lite/rpc/transport.py valid_url": None,
    "cinder_lite/scheduler/plugins.py _added": None, "cinder_lite/host/host_lock.py check_directory": None,
    "cinder_lite/observe/log_setup.py check_writable": None,
    "cinder_lite/observe/log_setup.py set_up": "errors after check_writable has succeeded",
    "cinder_lite/host/exit.py on_misconfiguration": "where all of them end",
    "cinder_lite/observe/tracing.py expect_library": "test_tracing: here the library is installed",
    "cinder_lite/volume/loading.py load": None, "cinder_lite/volume/loading.py enabled": None,
    "cinder_lite/wsgi/hosted.py configuration": "test_wsgi: under a WSGI server alone",
}


@pytest.fixture
def directory(tmp_path):
    for name, text in {"passwords": "ann:$2b$04$" + "x" * 53, "sha": "ann:{SHA}x", "roles": "ann:blue:member",
                       "no-yaml": "a: [b",
                       "others": "bob:blue:member", "list": "- a"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "locks").touch()
    return tmp_path


def settings(directory, text):
    """Write the configuration; its path."""
    defaults = {"state_path": directory, "host": "here", "osapi_volume_listen_port": 0, "enabled_backends": "null-1",
                "backup_posix_path": f"{directory}/backups"}
    sections = {"DEFAULT": defaults, "database": {"connection": f"sqlite:///{directory}/db"},
                "null-1": {"volume_driver": "null"}}
    stray = []
    section = "DEFAULT"
    for line in text.format(path=directory).splitlines():
        name, equals, value = line.partition(" =")
        if line.startswith("["):
            section = line.strip("[]")
        elif equals:
            sections.setdefault(section, {})[name] = value
        elif line:
            stray.append(line)
    file = directory / "cinder.conf"
    file.write_text("\n".join([*stray, *(f"[{section}]\n" + "\n".join(f"{name} = {value}" for name,
                                                                      value in options.items())
                                         for section, options in sections.items())]))
    return file


def run(directory, name, text):
    """Return the exit status and the output of a daemon with these settings."""
    return subprocess.run([sys.executable, "-m", f"cinder_lite.cmd.{name}", "--config-file", settings(directory, text)],
                          capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(TOP)})


@pytest.mark.parametrize("name, text, said", REFUSED, ids=lambda value: value.split("\n")[-1][:40])
def test_the_daemon_stays_down_with_the_reason_of_config_check(directory, capsys, name, text, said):
    said = said.replace("{path}", str(directory))
    done = run(directory, name, text)
    assert (done.returncode, "Traceback" in done.stderr) == (os.EX_CONFIG, False), done.stderr
    assert said in done.stderr.splitlines()[-1] and "s3/cret" not in done.stderr
    status = manage.main(["--config-file", str(directory / "cinder.conf"), "config", "check"])
    out, error = capsys.readouterr()
    messages = [line for line in (out + error).splitlines() if said in line
            and line.startswith(("PROBLEM", "cinder-lite-manage:"))]
    # Of a value it says what is wrong with it in other words.
    assert status != 0 and (messages or "invalid literal" in out), out + error
    assert "s3/cret" not in out + error


def test_each_refusal_is_walked():
    found = set()
    for module in source.modules("cinder_lite"):
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef) and any(
                    ast.unparse(node).startswith(("errors.Misconfigured(", "fatal(", "exit.fatal(", "UnknownName("))
                    for node in ast.walk(function) if isinstance(node, ast.Call)):
                found.add(f"{module.name} {function.name}")
    assert found == set(REFUSING)


def test_several_workers_stay_down_too(tmp_path):
    done = run(tmp_path, "api", "osapi_volume_listen_port = 0\nosapi_volume_workers = 2\n"
                                "scheduler_default_filters = X\ntransport_url = rabit://here/")
    assert (done.returncode, "Traceback" in done.stderr) == (os.EX_CONFIG, False), done.stderr


class Reloaded(Apart):
    """cinder-lite-all, which reads its settings again on SIGHUP."""

    def start(self):
        self.launch("all")
        self.main.wait(self.answers)
        return self


def test_a_reload_of_unusable_settings_changes_nothing():
    with Reloaded(backends=("null-1",), sections={"null-1": NULL}, target=False) as running:
        with open(running.config_file) as file:
            text = file.read()
        for number, wrong in enumerate(("nonsense", "[DEFAULT]\ndebug = perhaps\n"), 1):
            with open(running.config_file, "w") as file:
                file.write(f"{text}\n{wrong}")
            running.main.send(signal.SIGHUP)
            until(lambda: running.main.tail().count("the former one stays in force") == number, wrong)
            assert running.answers()
