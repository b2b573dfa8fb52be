"""Takes capacity of pools for volumes that the scheduler does not place: copies of groups, and growth."""

from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.db import pools
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.pool_capacity import Request, as_pool, bounds, virtual_free


def take(tx: db.Transaction, conf: cfg.ConfigOpts, name: str, size: int, count: int,
         extra_specs: Mapping[str, str] | None, operation: str = "create") -> None:
    """Take `size` GiB for `count` volumes with the extra specs of their type, thin or thick, as a decision would.

    Nothing is taken where no such pool was reported. Raises NoCapacity.
    """
    found = next((one for one in pools.with_services(tx, [service_of(name)]) if one.name == name), None)
    if found is None or size <= 0:
        return
    pool = as_pool(found, conf.service_down_time)
    request = Request(size=size, operation=operation, extra_specs=extra_specs or {})
    limits = bounds(pool, request)
    if limits.refused or not pools.take(tx, name, size, count, limits):
        available = virtual_free(pool, request.thin)
        why = limits.refused or f"{available:g} GiB can be provisioned there"
        raise errors.NoCapacity(
            reason=f"The pool {name} has no capacity for {size} GiB more: {why}",
            public=errors.NO_CAPACITY.format(size=size))
