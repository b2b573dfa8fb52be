"""PostgreSQL with a standby: the primary is killed and the standby promoted; no accepted request is lost."""

import time

import pytest

from tests.cluster import load, pair
from tests.cluster.test_losses import BOUND
from tests.cluster.test_majority import promises_kept
from tests.services import processes


@pytest.fixture
def standby(whole):
    whole.wait(None)
    machines = [whole.network.machine(f"primary{number - 40}", number) for number in (41, 42)]
    whole.other = pair.Pair(machines)
    whole.other.start()
    pair.await_standby(whole.other)
    whole.restart_hosts([whole.other.url] * 3)
    yield whole.other
    whole.other = None
    whole.restart_hosts()
    for machine in machines:
        machine.kill()


def test_a_killed_primary(whole, figures, standby):
    assert "0 problems" not in whole.hosts.manage("config", "check")
    with load.Load(3, "standby") as clients:
        processes.until(lambda: clients.successes() >= 10, BOUND, "clients at work")
        began = time.monotonic()
        standby.machines[0].kill()
        processes.until(lambda: any(one.status == 503 for one in clients.requests if one.began > began), BOUND, "503")
        promoted = time.monotonic()
        standby.promote()
        processes.until(lambda: clients.successes(promoted) >= 20, BOUND, "work with the standby")
    figures.append(f"primary of PostgreSQL killed, promoted after {promoted - began:.1f} s: without "
                   f"{clients.gaps(began)}; longest request "
                   f"{max(one.ended - one.began for one in clients.requests if one.ended > began):.1f} s")
    promises_kept(whole, clients)
