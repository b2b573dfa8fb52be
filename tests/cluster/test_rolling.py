"""Every process of the cluster restarted in turn, as for an upgrade, under load: no new request is refused.

Requests in flight may be: one whose database ends between two statements, and those of a balancer whose address moves,
for the other one does not know the connections.
"""

import pytest

from tests.cluster import load
from tests.cluster.test_losses import BOUND
from tests.services import checks, processes

#: What requests in flight may be answered.
IN_FLIGHT = {"host": (), "broker": (), "database": (503,), "balancer": load.UNAVAILABLE}


@pytest.mark.parametrize("tier", IN_FLIGHT)
def test_a_rolling_restart(whole, figures, tier):
    whole.wait(None)
    with load.Load(3, f"rolling {tier}") as clients:
        processes.until(lambda: clients.successes() >= 10, BOUND, "clients at work")
        for machine in whole.members[tier]:
            processes_of = list(reversed(machine.processes.values()))
            for together in [[one] for one in processes_of] if tier == "host" else [processes_of]:
                for process in together:
                    process.stop()
                machine.start()
                whole.wait(tier)
            before = clients.successes()
            processes.until(lambda: clients.successes() >= before + 10, BOUND, f"work with {machine.name} again")
    failed = [one for one in clients.requests if not one.is_success]
    figures.append(f"rolling restart of {tier}s: {len(failed)} of {len(clients.requests)} requests failed "
                   f"{sorted({one.status for one in failed})}; longest "
                   f"{max(one.ended - one.began for one in clients.requests):.1f} s")
    print(clients.failures(0))
    assert [one for one in failed if one.status not in IN_FLIGHT[tier]] == []
    assert len(failed) < len(clients.requests) / 100
    checks.await_rest(whole, whole, BOUND)
    assert [*clients.broken(), *checks.usage(whole)] == []
    whole.emptied()
