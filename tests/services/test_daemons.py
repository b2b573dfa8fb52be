"""The four processes with a broker and each database: start, recovery after SIGKILL, stop."""

import signal

import pytest

from tests.services import daemons


@pytest.fixture(params=["null", "file"])
def running(request, database, broker):
    with daemons.Daemons(database.url, broker.url, driver=request.param) as four:
        yield four.start()


def test_each_process_recovers_after_sigkill_and_stops_on_sigterm(running):
    assert running.request("POST", "/volumes", {"volume": {"size": 3}})[0] == 202
    for name in daemons.NAMES:
        running.kill(name)
        assert not running.processes[name].running
        running.restart(name)
        running.wait()
    status, body = running.request("GET", "/volumes/summary")
    assert (status, body["volume-summary"]["total_count"], body["volume-summary"]["total_size"]) == (200, 1, 3)
    running.kill("volume", signal.SIGHUP)
    assert running.request("GET", "/os-services")[0] == 200
    assert running.stop() == dict.fromkeys(daemons.NAMES, 0)
