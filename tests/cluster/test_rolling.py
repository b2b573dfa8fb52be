"""Every process of the cluster restarted in turn, as for an upgrade, under load: no request is refused."""

import pytest

from tests.cluster import load
from tests.cluster.test_losses import BOUND
from tests.services import checks, processes


@pytest.mark.parametrize("tier", ("host", "broker", "database", "balancer"))
def test_a_rolling_restart(whole, figures, tier):
    whole.wait(None)
    with load.Load(3, f"rolling {tier}") as clients:
        processes.until(lambda: clients.successes() >= 10, BOUND, "clients at work")
        for machine in whole.members[tier]:
            for process in reversed(machine.processes.values()):
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
    assert [one for one in failed if not one.is_allowed] == []
    checks.await_rest(whole, whole, BOUND)
    assert [*clients.broken(), *checks.usage(whole)] == []
    whole.emptied()
