"""cinder-lite top and doctor: interactive on a terminal, text otherwise."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.client import local, top
from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.service import Service, until

pytestmark = pytest.mark.once

RUN = "import sys; sys.argv[0] = 'cinder-lite'; from cinder_lite.client.shell import main; main()"
FILE = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"


@pytest.fixture(scope="module")
def service():
    with Service(backends=("file-1", "null-1"), sections={"file-1": FILE}, target=False) as running:
        yield running


@pytest.fixture
def environment(service):
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "CINDER_LITE_ENDPOINT": f"{service.url}/v3",
            "TERM": "xterm"}


@pytest.fixture
def command(environment):
    def run(*words, **env):
        return subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, timeout=120,
                              env=environment | env)
    return run


@pytest.fixture
def waiting(service):
    """A job on a volume of 2 GiB that is at 40 % and stays there."""
    client = Client(service.url, local.PROJECT)
    volume, id = client.made("volumes", size=2), str(uuid.uuid4())
    job = {"id": id, "project_id": local.PROJECT, "kind": "volume", "action": "upload", "args": {}, "stage": "volume",
           "resource_id": volume["id"], "status": states.RUNNING, "progress": 40, "host": "other@lvm", "attempt": 2,
           "lease_until": db.now().replace(year=9000), "created_at": db.now()}
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.jobs).values(job))
    yield job
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.jobs).where(schema.jobs.c.id == id))


def test_once_it_is_plain_text(command, waiting):
    done = command("top", "--once")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert re.search(r"^Services: 4 of 4 up *$", done.stdout, re.M)
    assert re.search(r"^test@file-1#file-1 +━*─* +\d+% ", done.stdout, re.M)
    assert re.search(r"^test@null-1#null-1 +- +infinite ", done.stdout, re.M)
    assert "Jobs: 1 running, 0 queued" in done.stdout
    row = next(line for line in done.stdout.splitlines() if waiting["resource_id"] in line)
    assert row.startswith("upload volume") and " 40%" in row and row.rstrip().endswith("other@lvm, attempt 2")


class Screen:
    """A command on a separate terminal."""

    def __init__(self, words, env):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 150, 0, 0))
        self._popen = subprocess.Popen([sys.executable, "-c", RUN, *words], stdin=slave, stdout=slave, stderr=slave,
                                       env=env,
                                       start_new_session=True)
        os.close(slave)
        self.drawn = ""

    def shows(self, text):
        with contextlib.suppress(OSError):  # the other end is closed
            while select.select([self._master], [], [], 0)[0]:
                self.drawn += os.read(self._master, 65536).decode(errors="replace")
        return text in self.drawn

    def type(self, keys):
        os.write(self._master, keys.encode())
        self.drawn = ""

    def ended(self):
        self.shows("")
        return self._popen.poll() is not None

    def close(self):
        self._popen.kill()
        status = self._popen.wait()
        os.close(self._master)
        return status


def test_it_is_renewed_until_q_is_typed(environment, service, waiting):
    screen = Screen(["top", "--interval", "0.2"], environment)
    until(lambda: screen.shows("Services: 4 of 4 up") and screen.shows(" 40%"), "the first screen")
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.jobs).where(schema.jobs.c.id == waiting["id"]).values(progress=75))
    until(lambda: screen.shows(" 75%"), "the next one")
    # A rate in what the job moves: 2 GiB are its volume.
    assert until(lambda: screen.shows("iB/s"), "a rate")
    screen.type("q")
    until(screen.ended, "the end")
    assert screen.close() == 0


def test_rates_are_of_the_last_seconds():
    now = [100.0]
    rates = top.Rates(lambda: now[0])
    for percent in (0, 0, 10, 20):
        rates.record([{"id": "a", "progress": percent}])
        now[0] += 5
    now[0] -= 5
    assert rates.percent("a") == pytest.approx(20 / 15)
    for percent in range(21, 61):
        now[0] += 5
        rates.record([{"id": "a", "progress": percent}])
    assert rates.percent("a") == pytest.approx(1 / 5, rel=0.3)
    rates.record([])
    assert rates.percent("a") is None


def test_the_doctor_finds_no_problems(command):
    done = command("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("No problems found: 4 services; response times: database ")


def test_doctor_prints_the_problems(command, service):
    with service.process.db.write() as tx:
        id = tx.execute(sa.insert(schema.services).values(
            uuid=str(uuid.uuid4()), binary="cinder-volume", host="h@lvm", availability_zone="nova", seen_at=db.now(),
            backend_up=False, backend_reason="there is no volume group v", created_at=db.now())).inserted_primary_key[0]
    done, as_json, shown = command("doctor"), command("doctor", "--json"), command("top")
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.services).where(schema.services.c.id == id))
    assert (done.returncode, done.stdout) == (1, "The backend h@lvm is down: there is no volume group v.\n")
    assert as_json.returncode == 1 and json.loads(as_json.stdout)["healthy"] is False
    assert re.search(r"^cinder-volume +h@lvm +backend down", shown.stdout, re.M)


@pytest.mark.parametrize("words", [("doctor",), ("top",)])
def test_a_missing_service_is_reported(command, words):
    done = command(*words, CINDER_LITE_ENDPOINT="http://127.0.0.1:1/v3")
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "Cannot connect to" in done.stdout + done.stderr
