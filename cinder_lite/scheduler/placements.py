"""The placement requests of migrations, retypes and managed volumes."""

import dataclasses

from cinder_lite import states
from cinder_lite.db import qos, snapshots, types
from cinder_lite.jobs import pool_capacity


def _migrate(tx, job, volume):
    return [_there(job, volume, "migrate", "it is the requested destination")]


def _manage(tx, job, volume):
    return [_there(job, volume, "manage", "it is the host given for the volume")]


def _there(job, volume, operation, because):
    to = job.args["to_host"]
    fixed = {"only_pool": to} if "#" in to else {"only_backend": to}
    return pool_capacity.Request.of(job, volume, operation=operation, extra_specs=volume.type_extra_specs or {},
                                    zones=(), only_because=because, **fixed)


def _retype(tx, job, volume):
    """The present pool if it fits the new type; otherwise any pool, if the volume may and can be migrated."""
    type_ = types.find(tx, job.args["new_type_id"])
    specs = type_.extra_specs if type_ is not None else {}
    limits = qos.of_type(tx, job.args["new_type_id"])[1] or {}
    because = "its retype does not allow a migration"
    if job.args["may_move"]:
        attached = volume.attach_status != states.DETACHED and not job.args.get("server")
        because = ("it is attached, so it cannot move" if attached else
                   "it has snapshots, so it cannot move" if snapshots.of_volume(tx, volume.id) else "")
    here = pool_capacity.Request.of(job, volume, operation="retype", extra_specs=specs, qos_specs=limits,
                                    existing_pool=volume.host, only_pool=volume.host, only_because=because)
    return [here] if because else [here, dataclasses.replace(here, only_pool=None)]


#: Name in states.Action.work -> function(tx, job, volume) -> the requests, which are tried in order; creating is the
#: scheduler's own.
MOVES = {"migrate": _migrate, "manage": _manage, "retype": _retype}
