"""Settings with which a daemon cannot work: it says so in one line and ends with the status that has it stay down."""

import os
import signal
import subprocess
import sys

import pytest

from tests.functional.service import NULL, Apart, until
from tests.meta.source import TOP


def run(directory, name, text):
    """A daemon's exit status and what it says, with these settings."""
    file = directory / "cinder.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {directory}\n[database]\nconnection = sqlite:///{directory}/db\n{text}\n")
    return subprocess.run([sys.executable, "-m", f"cinder_lite.cmd.{name}", "--config-file", file], capture_output=True,
                          text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(TOP)})


@pytest.mark.parametrize("name, text, said", [
    ("volume", "nonsense", "No ':' or '=' found in assignment: 'nonsense'"),
    ("all", "[DEFAULT]\njob_lease = soon\nenabled_backends = null-1\n" + NULL, "job_lease"),
    ("api", "[DEFAULT]\nosapi_volume_listen_port = x", "osapi_volume_listen_port"),
    ("all", "[DEFAULT]\nauth_strategy = trust", "Valid values are [noauth, http_basic, keystone], but found 'trust'"),
    ("backup", "[DEFAULT]\nlog_dir = /proc/nowhere", "the log cannot be written: "),
    ("all", "[DEFAULT]\nscheduler_default_filters = X\nenabled_backends = null-1\n" + NULL, "'X' is not known; there are Av"),
    ("all", "[DEFAULT]\ntransport_url = rabit://here/\nenabled_backends = null-1\n" + NULL, "transport_url is not the URL"),
    ("scheduler", "[database]\nconnection = mongodb://here/c", "the database's URL is not like 'mysql+pymysql://"),
    ("scheduler", "[database]\nconnection = mysql://me:s3/cret@here:port/c", "the database's URL is not like 'mysql+pymysql://"),
    ("scheduler", "[DEFAULT]\nstate_path = /proc/nowhere", "state_path /proc/nowhere cannot be made: "),
], ids=lambda value: value.split("\n")[-1][:30] if "\n" in value else value[:30])
def test_it_stays_down_and_says_why(tmp_path, name, text, said):
    done = run(tmp_path, name, text)
    assert (done.returncode, "Traceback" in done.stderr) == (os.EX_CONFIG, False), done.stderr
    assert said in done.stderr.splitlines()[-1] and "s3/cret" not in done.stderr


def test_several_workers_stay_down_too(tmp_path):
    done = run(tmp_path, "api", "[DEFAULT]\nosapi_volume_listen_port = 0\nosapi_volume_workers = 2\n"
                                "scheduler_default_filters = X\ntransport_url = rabit://here/")
    assert (done.returncode, "Traceback" in done.stderr) == (os.EX_CONFIG, False), done.stderr


class Reloaded(Apart):
    """cinder-lite-all, which reads its settings again on SIGHUP."""

    def start(self):
        self.launch("all")
        self.main.wait(self.answers)
        return self


def test_what_is_read_again_and_cannot_work_changes_nothing():
    with Reloaded(backends=("null-1",), sections={"null-1": NULL}, target=False) as running:
        with open(running.config_file) as file:
            text = file.read()
        for wrong in ("nonsense", "[DEFAULT]\ndebug = perhaps\n"):
            with open(running.config_file, "w") as file:
                file.write(f"{text}\n{wrong}")
            running.main.send(signal.SIGHUP)
            until(lambda: running.main.tail().count("the former ones hold") == 1, "the error")
            assert running.answers()
