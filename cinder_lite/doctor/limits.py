"""Finds volume types whose limits (QoS specs) a backend that stores their volumes does not apply."""

from collections.abc import Iterator

from cinder_lite.db import pools, qos
from cinder_lite.doctor.finding import Finding
from cinder_lite.doctor.state import State
from cinder_lite.jobs.pool_capacity import as_pool
from cinder_lite.volume import qos as limits


def not_applied(state: State) -> Iterator[Finding]:
    """QoS specs for backends that do not apply any."""
    rows = [row for row in pools.with_services(state.tx) if row.name is not None]
    known = [as_pool(row, state.conf.service_down_time) for row in rows]
    for type_, pool, text in limits.not_applied(qos.of_back_ends(state.tx), known):
        yield Finding("QoS specs are not applied", (type_.id, pool.name), text, limits.REMEDY)
