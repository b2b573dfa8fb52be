"""Words the reason why a pool has no capacity for a request."""

import math

from cinder_lite.jobs import pool_capacity


def capacity(pool: pool_capacity.Pool, request: pool_capacity.Request, bounds: pool_capacity.Bounds) -> str:
    """The reason why the pool does not admit the request within these bounds, with its numbers in GiB."""
    if bounds.refused:
        return f"requested {request.size} GiB, {bounds.refused}"
    thin = request.thin and pool.thin
    # The bounds refuse by numbers only where these are known.
    available, free = pool_capacity.virtual_free(pool, thin) or 0, pool_capacity.amount(pool.free_gb) or 0
    ratio = pool_capacity.ratio(pool, thin) or 1
    text = f"requested {request.size} GiB, free {_gib(available)} of {_gib(pool_capacity.amount(pool.total_gb))}"
    if available >= free * ratio:
        return text if ratio == 1 else f"{text} ({_gib(free)} really free, over-subscribed {ratio:.4g} times)"
    text += f" ({_gib(pool.provisioned_gb)} of at most {_gib(bounds.provisioned_limit)} provisioned"
    if pool_capacity.reserved(pool):
        text += f", {_gib(pool_capacity.reserved(pool))} in reserve"
    return text + (")" if ratio == 1 else f", over-subscribed {ratio:.4g} times)")


def _gib(number):
    """GiB with at most two decimals, rounded down so that a refusal never shows as much as was requested."""
    return "an unknown total" if number is None else f"{math.floor(number * 100) / 100:.15g} GiB"
