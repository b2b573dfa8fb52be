"""Computes the limits of QoS specs for attaching hosts, and finds limits that no backend applies."""

import logging
import typing
from collections.abc import Iterable

from cinder_lite import db
from cinder_lite.jobs.pool_capacity import Pool
from cinder_lite.jobs.pool_facts import facts
from cinder_lite.scheduler import extra_specs

LOG = logging.getLogger(__name__)

FRONT_END = ("front-end", "both")
#: Rates that a spec may give per GiB of the volume.
RATES = ("read_iops_sec", "read_bytes_sec", "write_iops_sec", "write_bytes_sec", "total_iops_sec", "total_bytes_sec")


def of_front_end(row: db.Row) -> dict | None:
    """The limits that the host attaching a volume (a row of db.volumes) applies: {key: value}, or None."""
    if row.type_qos_consumer not in FRONT_END:
        return None
    specs = {key: value for key, value in row.type_qos_specs.items() if value is not None}
    for rate in RATES:
        if f"{rate}_per_gb" in specs:
            _per_gib(specs, rate, row.size)
    return specs


def _per_gib(specs, rate, size):
    """Replace a rate per GiB, its minimum, and its maximum (the burst rate), by the rate for a volume of `size` GiB."""
    keys = f"{rate}_per_gb", f"{rate}_per_gb_min", f"{rate}_max"
    found = {key: specs.pop(key) for key in keys if key in specs}
    try:
        per_gib, least, most = (int(found[key]) if key in found else None for key in keys)
    except (TypeError, ValueError):
        LOG.warning("QoS specs %s: a rate per GiB and its bounds must be integers; hosts do not apply them", found)
        return
    value = max(per_gib * size, least or 0)
    specs[rate] = value if most is None else min(value, most)


def not_applied(types: Iterable, pools: Iterable[Pool]) -> list[tuple[typing.Any, Pool, str]]:
    """[(type, pool, sentence)] of types (see db.qos.of_back_ends) whose limits a matching pool does not apply."""
    return [(type_, pool, f"QoS spec {type_.qos_name} of volume type {type_.name} has the consumer {type_.consumer}, "
                          f"but {pool.service_host} applies no QoS specs to volumes ({pool.name})")
            for type_ in types for pool in pools
            if not facts(pool).get("QoS_support") and extra_specs.unmet(facts(pool), type_.extra_specs) is None]


REMEDY = ("require a backend that applies them (RBD) with the type's extra specs, or set the QoS spec's consumer to "
          "front-end, so that the hosts apply them")
