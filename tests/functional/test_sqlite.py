"""SQLite with a service and commands: committed data survives kills."""

import contextlib
import os
import random
import signal
import sqlite3

import pytest

from cinder_lite.cmd import manage
from tests.functional.client import Client
from tests.functional.service import Apart, until
from tests.functional.test_manage_sources import words_of


@pytest.fixture
def service():
    service = Apart(target=False, backends=("null-1",), default="quota_volumes = -1")
    service.launch("all")
    yield service
    service.stop()
    service.remove()


def unlinked(service):
    """The deleted files that the service still writes to."""
    folder = f"/proc/{service.main.pid}/fd"
    names = []
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed since
            names.append(os.readlink(f"{folder}/{number}"))
    return [name for name in names if name.startswith(f"{service.state}/cinder.sqlite") and name.endswith("(deleted)")]


def accepted(client):
    return client("POST", "/volumes", {"volume": {"size": 1}}, expect=202)["volume"]["id"]


def kept(service):
    client = Client(service.url)
    return {one["id"] for one in client("GET", "/volumes", expect=200)["volumes"]}


@pytest.mark.parametrize("seed", range(3))
def test_accepted_requests_survive_a_kill_while_commands_run(service, seed, capsys):
    until(service.answers, "the API to answer")
    client, ids = Client(service.url), set()
    commands = sorted(manage.COMMANDS)
    random.Random(seed).shuffle(commands)
    for command in commands:
        ids.add(accepted(client))
        words = words_of(command)
        if command == ("export",):
            words = ["export", os.path.join(service.state, "exported")]
        try:
            manage.main([*words, "--config-file", service.config_file])
        except SystemExit as ended:  # of an argument
            assert ended.code == 2
        assert unlinked(service) == [], command
    ids.add(accepted(client))
    service.main.send(signal.SIGKILL)
    service.main.wait_end()
    service.launch("all")
    until(service.answers, "the API to answer again")
    assert ids <= kept(service)


def test_others_that_open_and_close_the_file_take_no_log_away(service):
    """A backup copy or an sqlite3 session of an administrator ends like the last user of the database."""
    until(service.answers, "the API to answer")
    client = Client(service.url)
    id = accepted(client)
    looks = sqlite3.connect(os.path.join(service.state, "cinder.sqlite"))
    assert looks.execute("SELECT id FROM volumes").fetchall() == [(id,)]
    looks.close()
    assert unlinked(service) == []
    another = accepted(client)
    service.main.send(signal.SIGKILL)
    service.main.wait_end()
    again = sqlite3.connect(os.path.join(service.state, "cinder.sqlite"))
    assert {row[0] for row in again.execute("SELECT id FROM volumes")} == {id, another}
    again.close()
