"""Takes the capacity of pools for what is placed without a decision: extends, copies of groups, the image cache."""

from cinder_lite import errors
from cinder_lite.db import pools
from cinder_lite.db.host_strings import service_of
from cinder_lite.scheduler import pools as rooms
from cinder_lite.scheduler.manager import as_pool


def take(tx, conf, name, size, count, extra_specs, operation="create"):
    """Take `size` GiB for `count` volumes with the extra specs of their type, thin or thick, as a decision would.

    Nothing is taken where no such pool was reported. Raises NoRoom.
    """
    found = next((one for one in pools.with_services(tx, service_of(name)) if one.name == name), None)
    if found is None or size <= 0:
        return
    pool = as_pool(found, conf.service_down_time)
    request = rooms.Request(size=size, operation=operation, extra_specs=extra_specs or {})
    bounds = rooms.bounds(pool, request)
    if bounds.refused or not pools.take(tx, name, size, count, bounds):
        room = rooms.virtual_free(pool, request.thin)
        raise errors.NoRoom(
            reason=f"The pool {name} has no room for {size} GiB more: " + (
                bounds.refused or f"{room:g} GiB can be given out there"),
            public=errors.NO_CAPACITY.format(size=size))
