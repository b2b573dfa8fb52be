"""Services of two releases on one database under load, with a schema upgrade."""

import json

import pytest

from cinder_lite import concurrency
from tests.services import checks, daemons, load, releases
from tests.services.test_signals import goes_on

CLIENTS = 3
#: What a service of the release before cannot keep up, because it does not know it: the doctor does so in the end.
UNKNOWN = {"metadata index mismatch"}
WORKERS = tuple(name for name in daemons.NAMES if name != "api")
#: (the database, the release that runs, the one it is upgraded to): one pair in each mode, for they take long. The
#: release
#: before is there where the history is.
PAIR = ("postgresql", releases.before, releases.this) if not concurrency.GREEN and releases.with_history() else (
    "mariadb", releases.this, releases.after)


@pytest.fixture
def clients():
    """A function that sets clients to work on a service."""
    made = []

    def work(service):
        made.extend(load.Client(service, f"upgrade {number}") for number in range(CLIENTS))
        for client in made:
            client.start()
            client.resume()
        return made

    yield work
    for client in made:
        client.end()


def become(service, clients, **trees):
    """Restart these processes with the code of other trees, then check that they continue the work."""
    for name in trees:
        assert service.processes[name].stop() == 0
    for name, tree in trees.items():
        service.run_from(tree, name)
        service.launch(name)
    service.wait()
    goes_on(clients)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database,old,new", [PAIR], indirect=["database"])
def test_services_of_two_releases_work_side_by_side(database, broker, tmp_path, clients, old, new):
    old, new = old(tmp_path), new(tmp_path)
    # A service that is started again is waited for that long, on a machine that is busy too.
    with daemons.Daemons(database.url, broker.url, changes={"DEFAULT": {"service_down_time": 60}}) as service:
        service.run_from(old, *daemons.NAMES)
        service.start()
        clients = clients(service)
        goes_on(clients)
        service.run_from(new, "manage")
        done = service.manage("db", "sync")
        assert done.returncode == 0, done.stderr
        become(service, clients, **dict.fromkeys(WORKERS, new))
        become(service, clients, api=new, **dict.fromkeys(WORKERS, old))
        assert service.manage("status", "upgrade-check").returncode < 2
        for client in clients:
            client.pause()
        checks.await_rest(service, database)
        report = json.loads(service.manage("doctor", "--repair", "--json").stdout)
        assert {one["invariant"] for one in report["repaired"]} <= UNKNOWN
        assert checks.wrong(service, database, clients) == []
        assert checks.rows(database, "SELECT id, action, attempt FROM jobs WHERE attempt > 1") == []
        # The release before gives up at once what its scheduler has no service for.
        assert old != daemons.TOP or checks.rows(database, "SELECT id, error FROM jobs WHERE status = 'failed'") == []
