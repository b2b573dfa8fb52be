"""The mode of a process: native threads, or eventlet by a variable of the environment, ours or Cinder's."""

import os
import subprocess
import sys

import pytest

from cinder_lite.concurrency.patching import VARIABLES
from tests.meta.source import TOP

pytestmark = pytest.mark.once

OURS, CINDERS = VARIABLES
SHOWN = ("from cinder_lite import concurrency; concurrency.patch(); import threading; "
         "print(type(threading.Lock()).__module__.split('.')[0], concurrency.patching.CHOSEN_BY)")
NATIVE, EVENTLET = "_thread ", "eventlet "
#: Daemons, the command and the application of WSGI servers.
PROGRAMS = ("all", "api", "backup", "manage", "scheduler", "volume")


def run(words, environ):
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run([sys.executable, *words], env=kept | {"PYTHONPATH": str(TOP)} | environ, capture_output=True,
                          text=True, timeout=120)


@pytest.mark.parametrize("environ, shown", [
    ({}, NATIVE),
    ({OURS: "", CINDERS: ""}, NATIVE),
    ({OURS: "threading"}, NATIVE + OURS),
    ({OURS: "eventlet"}, EVENTLET + OURS),
    ({CINDERS: "true"}, NATIVE + CINDERS),
    ({CINDERS: "1"}, NATIVE + CINDERS),
    ({CINDERS: "YES"}, NATIVE + CINDERS),
    ({CINDERS: "false"}, EVENTLET + CINDERS),
    ({CINDERS: "0"}, EVENTLET + CINDERS),
    ({CINDERS: "No"}, EVENTLET + CINDERS),
    ({OURS: "eventlet", CINDERS: "true"}, EVENTLET + OURS),
    ({OURS: "threading", CINDERS: "false"}, NATIVE + OURS),
], ids=str)
def test_the_environment_chooses(environ, shown):
    done = run(["-c", SHOWN], environ)
    assert (done.returncode, done.stdout.strip()) == (0, shown.strip()), done.stderr


@pytest.mark.parametrize("environ, problem", [
    ({OURS: "gevent"}, f"{OURS} is 'gevent'; it can be threading, eventlet"),
    ({CINDERS: "maybe"}, f"{CINDERS} is 'maybe'; it can be 1, true, yes, 0, false, no"),
    ({OURS: "threading", CINDERS: "maybe"}, f"{CINDERS} is 'maybe'; it can be 1, true, yes, 0, false, no"),
], ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_starts_with_another_value(program, environ, problem):
    done = run(["-m", f"cinder_lite.cmd.{program}"], environ)
    assert (done.returncode, done.stdout, done.stderr) == (os.EX_CONFIG, "", problem + "\n")


@pytest.mark.parametrize("environ, problem", [
    ({OURS: "eventlet"}, f"{OURS} chooses eventlet: not for WSGI servers"),
    ({CINDERS: "0"}, f"{CINDERS} chooses eventlet: not for WSGI servers"),
    ({CINDERS: "maybe"}, f"{CINDERS} is 'maybe'"),
], ids=str)
def test_a_wsgi_server_uses_native_threads(tmp_path, environ, problem):
    settings = tmp_path / "cinder.conf"
    settings.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\nallow_noauth_anywhere = true\nauth_strategy = noauth\n")
    done = run(["-c", "from cinder_lite.wsgi import hosted; hosted.configuration()"],
               environ | {"CINDER_LITE_CONFIG_FILES": str(settings)})
    assert done.returncode == 1 and done.stderr.splitlines()[-1].startswith(
        f"cinder_lite.errors.Misconfigured: {problem}"), done.stderr
