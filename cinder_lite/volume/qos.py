"""The limits of a QoS spec that the attaching host applies, and those that a backend should and does not."""

import logging

from cinder_lite.scheduler import extra_specs

LOG = logging.getLogger(__name__)

FRONT_END = ("front-end", "both")
#: The rates that a spec may give for each GiB of the volume.
RATES = ("read_iops_sec", "read_bytes_sec", "write_iops_sec", "write_bytes_sec", "total_iops_sec", "total_bytes_sec")


def of_front_end(row):
    """What the host that attaches a volume, a row of db.volumes, applies: {key: value}, or None for nothing."""
    if row.type_qos_consumer not in FRONT_END:
        return None
    specs = {key: value for key, value in row.type_qos_specs.items() if value is not None}
    for rate in RATES:
        if f"{rate}_per_gb" in specs:
            _per_gib(specs, rate, row.size)
    return specs


def _per_gib(specs, rate, size):
    """Replace a rate per GiB, its lower bound and, as its upper one, the burst rate by the rate of a volume of that size."""
    keys = f"{rate}_per_gb", f"{rate}_per_gb_min", f"{rate}_max"
    found = {key: specs.pop(key) for key in keys if key in specs}
    try:
        per_gib, least, most = (int(found[key]) if key in found else None for key in keys)
    except (TypeError, ValueError):
        LOG.warning("QoS specs %s: a rate per GiB and its bounds have to be whole numbers; hosts do not apply them", found)
        return
    value = max(per_gib * size, least or 0)
    specs[rate] = value if most is None else min(value, most)


def not_applied(types, pools):
    """[(type, pool, sentence)] of types (see db.qos.of_back_ends) with limits that a pool they fit does not apply.

    `pools` are those of the scheduler.
    """
    return [(type_, pool, f"QoS spec {type_.qos_name} of volume type {type_.name} has the consumer {type_.consumer}, but "
                          f"{pool.service_host} applies no QoS specs to volumes ({pool.name})")
            for type_ in types for pool in pools
            if not pool.facts().get("QoS_support") and extra_specs.unmet(pool.facts(), type_.extra_specs) is None]


#: What to do about it.
REMEDY = ("give the type a backend that applies them (RBD) by its extra specs, or the QoS spec the consumer front-end, "
          "which the hosts apply")
