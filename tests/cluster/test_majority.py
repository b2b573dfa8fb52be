"""A database without a majority, and one that became read-only: requests get 503, none gets a wrong answer."""

import shlex
import time

from tests.cluster import database, load, page
from tests.cluster.test_losses import BOUND, lost
from tests.services import checks, processes


def statuses(clients, since):
    """Those of all requests that began after that time and failed."""
    return {one.status for one in clients.requests if one.began > since and not one.is_success}


def promises_kept(whole, clients):
    print(clients.failures(0))
    checks.await_rest(whole, whole, BOUND)
    assert [one for one in clients.requests if not one.is_allowed] == []
    assert [*clients.broken(), *checks.usage(whole)] == []
    whole.emptied()


def test_two_databases_are_lost_and_the_third_is_made_the_cluster(whole, figures):
    whole.wait()
    writer = lost(whole, "database")
    others = [machine for machine in whole.members["database"] if machine is not writer]
    with load.Load(3, "majority") as clients:
        processes.until(lambda: clients.successes() >= 5, BOUND, "clients at work")
        began = time.monotonic()
        for machine in others:
            machine.kill()
        processes.until(lambda: sum(one.status == 503 for one in clients.requests if one.began > began) > 20, BOUND,
                        "503 from the API")
        alone = time.monotonic()
        processes.until(lambda: len([1 for one in clients.requests if one.began > alone]) > 20, BOUND, "answers")
        assert statuses(clients, alone) == {503} and clients.successes(alone) == 0
        bootstrap = time.monotonic()
        command = next(one for one in page.commands("mariadb") if "pc.bootstrap" in one)
        writer.run(*shlex.split(command))
        processes.until(lambda: clients.successes(bootstrap) >= 5, BOUND, "work with one database")
        working = time.monotonic()
        for machine in others:
            machine.recover()
        whole.wait()
        back = time.monotonic()
        processes.until(lambda: clients.successes(back) >= 5, BOUND, "work with three databases")
    figures.append(f"database, two of three killed: longest request "
                   f"{max(one.ended - one.began for one in clients.requests if one.ended > began):.1f} s; work "
                   f"{working - bootstrap:.1f} s after pc.bootstrap, all back {back - working:.0f} s after their start")
    promises_kept(whole, clients)


def test_a_database_that_becomes_read_only_is_left(whole, figures):
    """haproxy's check finds it; until then, changes get 503 and reads are right."""
    whole.wait()
    writer = lost(whole, "database")
    with load.Load(3, "read-only") as clients:
        processes.until(lambda: clients.successes() >= 5, BOUND, "clients at work")
        began = time.monotonic()
        writer.run("mariadb", "-e", "SET GLOBAL read_only = 1")
        processes.until(lambda: lost(whole, "database") is not writer, BOUND, "another database being used")
        processes.until(lambda: clients.successes(began + 1) >= 20, BOUND, f"work without {writer.name}")
        gaps = clients.gaps(began)
        writer.run("mariadb", "-e", "SET GLOBAL read_only = 0")
        database.await_synced(writer)
    figures.append(f"database read-only: without {gaps}; failed "
                   f"{sorted(statuses(clients, began))}")
    assert statuses(clients, began) & {500} == set()
    promises_kept(whole, clients)
