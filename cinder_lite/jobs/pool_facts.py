"""Names the facts about pools that extra specs, expressions and queries may use."""

from collections.abc import Mapping
from typing import Any

from cinder_lite.jobs.pool_capacity import Pool, Request


def facts(pool: Pool) -> dict[str, Any]:
    """All that extra specs, expressions and queries may name, under the names that Cinder reports."""
    return {
        "volume_backend_name": pool.backend,
        **pool.capabilities,
        "pool_name": pool.pool,
        "total_capacity_gb": pool.total_gb,
        "free_capacity_gb": pool.free_gb,
        "provisioned_capacity_gb": pool.provisioned_gb,
        "allocated_capacity_gb": pool.allocated_gb,
        "reserved_percentage": pool.reserved_percentage,
        "max_over_subscription_ratio": pool.max_over_subscription_ratio,
        "thin_provisioning_support": pool.thin,
        "thick_provisioning_support": pool.thick,
        "multiattach": pool.multiattach,
        "online_extend_support": pool.online_extend,
        "total_volumes": pool.volume_count,
        "backend_state": "up" if pool.backend_up else "down",
    }


def state(pool: Pool) -> dict[str, Any]:
    """The facts and the place of the pool: `stats.x` of an expression and `$x` of a query."""
    reported = facts(pool)
    place = {"host": pool.name, "backend_id": pool.name, "availability_zone": pool.availability_zone}
    return {**reported, **place, "capabilities": reported}


def variables(pool: Pool, request: Request) -> dict[str, Mapping[str, Any]]:
    """The variables that the expressions of filter_function and goodness_function may name."""
    return {
        "stats": state(pool),
        "capabilities": facts(pool),
        "volume": {"size": request.size, **request.volume},
        "extra": request.extra_specs,
        "qos": request.qos_specs,
    }
