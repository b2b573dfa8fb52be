"""Any machine may be lost, by SIGKILL, SIGSTOP or its cable: no accepted request is lost, nothing is stuck.

The gaps that clients see are printed at the end of the run; docs/ha.md has them.
"""

import time

import pytest

from tests.cluster import load
from tests.services import checks, processes

OWNERS = 3
#: Seconds within which clients must succeed again, and the longest that a request may wait: far above what is
#: measured, for machines that are busy with other things.
BOUND = 90
#: Gaps of each tier alone, measured with other clients on the same programs, to compare with.
ALONE = {"host": "the balancer alone: 2 to 4 s", "broker": "the broker alone: 1 s, by cable 17 s",
         "database": "Galera alone: 3 to 7 s", "balancer": "keepalived alone: 2.3 s"}
#: Seconds for which a member is lost at least: what notices the loss late must have its time.
LOSS = 20
#: A machine whose processes are all stopped keeps its addresses: of a balancer, one process is stopped.
LOSSES = [*((tier, way) for tier in ("host", "broker", "database") for way in (("kill",), ("pause",), ("unplug",))),
          *(("balancer", (way, name)) for name in ("haproxy", "keepalived") for way in ("kill", "pause")),
          ("balancer", ("unplug",))]


def lost(cluster, tier):
    """The member whose loss costs most: the one that has the clients' connections."""
    if tier == "balancer":
        return cluster.balancer.holder
    if tier == "database":
        address = checks.rows(cluster, "SELECT @@wsrep_node_address")[0][0]
        return next(machine for machine in cluster.members[tier] if machine.address == address)
    return cluster.members[tier][0]


@pytest.mark.parametrize("tier, how", LOSSES, ids=lambda part: "-".join(part) if isinstance(part, tuple) else part)
def test_a_lost_member(whole, figures, tier, how):
    whole.wait(None)
    way, *process = how
    member = lost(whole, tier)
    with load.Load(OWNERS, f"{tier} {how}") as clients:
        processes.until(lambda: clients.successes() >= 10, BOUND, "clients at work")
        began = time.monotonic()
        getattr(member, way)(*process)
        try:
            processes.until(lambda: time.monotonic() > began + LOSS and clients.successes(began + 1) >= 20, BOUND,
                            f"work without {member.name}")
        finally:
            gone = time.monotonic()
            member.recover()
        if (tier, way) == ("broker", "pause"):
            # As the page has it: the node may take part in no cluster any more.
            member.kill()
            member.start()
        whole.wait(tier)
        back = time.monotonic()
        processes.until(lambda: clients.successes(back) >= 10, BOUND, f"work with {member.name} again")
    requests = [one for one in clients.requests if one.ended >= began]
    failed = sorted({one.status for one in requests if not one.is_success})
    figures.append(f"{tier} {' '.join(how)}: without {clients.gaps(began)} ({ALONE[tier]}); longest request "
                   f"{max(one.ended - one.began for one in requests):.1f} s; {len(requests)} requests, "
                   f"{sum(not one.is_success for one in requests)} failed {failed}; lost for {gone - began:.0f} s, "
                   f"back after {back - gone:.0f} s")
    print(clients.failures(began))
    assert [one for one in requests if not one.is_allowed] == []
    assert max(one.ended - one.began for one in requests) < BOUND
    checks.await_rest(whole, whole, BOUND)
    assert [*clients.broken(), *checks.usage(whole), *checks._ended(whole)] == []
    whole.emptied()
