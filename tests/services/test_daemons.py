"""The four processes over a broker and each database: they start, come back after SIGKILL, and end when asked to."""

import signal

import pytest

from tests.services import daemons


@pytest.fixture
def running(database, broker):
    with daemons.Daemons(database.url, broker.url, driver="null") as four:
        yield four.start()


def test_each_process_comes_back_after_being_killed_and_ends_when_asked_to(running):
    for name in daemons.NAMES:
        running.kill(name)
        assert not running.processes[name].running
        running.restart(name)
        running.wait()
    status, body = running.request("GET", "/volumes/detail")
    assert (status, body["volumes"]) == (200, [])
    running.kill("volume", signal.SIGHUP)
    assert running.request("GET", "/os-services")[0] == 200
    assert running.stop() == dict.fromkeys(daemons.NAMES, 0)
