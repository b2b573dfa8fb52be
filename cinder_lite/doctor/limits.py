"""Volume types with limits (QoS specs) that a backend where their volumes go does not apply."""

from cinder_lite.db import pools, qos
from cinder_lite.doctor.finding import Finding
from cinder_lite.jobs.pool_capacity import as_pool
from cinder_lite.volume.qos import REMEDY
from cinder_lite.volume.qos import not_applied as unlimited


def not_applied(look):
    """A QoS spec for the backend, and a backend that applies none."""
    known = [as_pool(row, look.conf.service_down_time) for row in pools.with_services(look.tx) if row.name is not None]
    for type_, pool, text in unlimited(qos.of_back_ends(look.tx), known):
        yield Finding("QoS specs are not applied", (type_.id, pool.name), text, REMEDY)
