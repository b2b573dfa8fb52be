"""A volume service that is stopped by SIGSTOP delays no other service, and its late work leaves nothing behind."""

import contextlib
import json
import signal
import threading

import pytest

from tests.services import checks, daemons, load, processes

#: Requests that come at once, more than one API worker has threads.
MANY = 110


@pytest.fixture
def service(request, database, broker):
    """Four processes whose API waits so many seconds for an answer; no service is known to be down."""
    changes = {"DEFAULT": {"rpc_reply_timeout": request.param, "service_down_time": 3600}}
    with daemons.Daemons(database.url, broker.url, changes=changes) as four:
        yield four.start()


@contextlib.contextmanager
def stopped(service):
    service.processes["volume"].send(signal.SIGSTOP)
    try:
        yield
    finally:
        service.processes["volume"].send(signal.SIGCONT)


def volume(service, database):
    status, body = service.request("POST", "/volumes", {"volume": {"size": 1}})
    assert status == 202
    checks.await_rest(service, database)
    return body["volume"]["id"]


def initialize(service, id, number=0):
    connector = {**load.CONNECTOR, "host": f"client-{number}", "initiator": f"iqn.1993-08.org.example:{number}"}
    return service.request("POST", f"/volumes/{id}/action", {"os-initialize_connection": {"connector": connector}})[0]


def attach(service, id):
    return service.request("POST", "/attachments", {"attachment": {
        "volume_uuid": id, "instance_uuid": load.SERVER, "connector": load.CONNECTOR}})


def states_of(database, id):
    return sorted(state for state, in checks.rows(database, f"SELECT state FROM connections WHERE volume_id = '{id}'"))


def no_findings(service):
    report = json.loads(service.manage("doctor", "--json").stdout)
    return [one["invariant"] for one in report["violations"]] == []


@pytest.mark.parametrize("service", [60], indirect=True)
def test_a_stopped_service_delays_no_other(service, database):
    id, answers = volume(service, database), []
    asking = [threading.Thread(target=lambda number=number: answers.append(initialize(service, id, number)))
              for number in range(MANY)]
    with stopped(service):
        for thread in asking:
            thread.start()
        processes.until(lambda: len(answers) >= MANY - 20, what="those for whom there is no place to be refused")
        assert set(answers) == {503}
        assert service.health()[0] == 200
        assert service.request("GET", "/volumes/detail")[0] == 200
        assert len(answers) == MANY - 20
    for thread in asking:
        thread.join()
    assert sorted(answers) == [200] * 20 + [503] * (MANY - 20)
    processes.until(lambda: states_of(database, id) == ["connected"] * 20, what="the refused to be undone")
    assert no_findings(service)


@pytest.mark.parametrize("service", [2], indirect=True)
def test_late_work_is_undone(service, database):
    id = volume(service, database)
    with stopped(service):
        assert attach(service, id)[0] == 500
        assert service.request("GET", f"/volumes/{id}")[1]["volume"]["status"] == "available"
    processes.until(lambda: states_of(database, id) == [], what="the connection to be undone")
    found = processes.until(lambda: [body for code, body in [attach(service, id)] if code == 200], what="attaching")[0]
    attachment = found["attachment"]["id"]
    assert service.request("POST", f"/attachments/{attachment}/action", {"os-complete": None})[0] == 204
    with stopped(service):
        assert service.request("DELETE", f"/attachments/{attachment}")[0] == 200
        assert attach(service, id)[0] == 500
    found = processes.until(lambda: [body for code, body in [attach(service, id)] if code == 200],
                            what="attaching again")[0]
    assert service.request("POST", f"/attachments/{found['attachment']['id']}/action", {"os-complete": None})[0] == 204
    processes.until(lambda: states_of(database, id) == ["connected"], what="all to be settled")
    assert service.request("GET", f"/volumes/{id}")[1]["volume"]["status"] == "in-use"
    assert no_findings(service)
