"""Migrates volumes to other backends, and retypes them."""

from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import attachments, guards, new_volumes, quotas, retypes, types, volumes
from cinder_lite.db import qos as qos_specs
from cinder_lite.db.host_strings import find_up, service_of
from cinder_lite.jobs import holds
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.nova import client
from cinder_lite.volume import qos


class Migrations:
    """The operations that change a volume's backend or type."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, scheduler: Any) -> None:
        self.db, self.conf, self.scheduler, self.nova = database, conf, scheduler, client.Nova(conf)

    @accepts
    def migrate(self, ctx: context.Context, id: str, host: str, locked: bool) -> Accepted[None]:
        """Migrate the volume to "host@backend" or "host@backend#pool"; `locked`: it cannot be used meanwhile."""
        with self.db.write() as tx:
            row = volumes.visible(ctx, id, VOLUME.locked(tx, id))
            try:
                find_up(tx, host, self.conf.service_down_time)
            except errors.ServiceUnknown as error:
                raise errors.InvalidInput(reason=str(error), public=error.public) from error
            if host in (row.host, service_of(row.host)):
                raise errors.InvalidInput(reason=f"Volume {id} is on {row.host} already.",
                                          public=f"Invalid input received: Volume {id} is there already.")
            server = self._server_of(tx, row)
            action = "migrate_in_use" if server else "migrate_locked" if locked else "migrate"
            needed = guards.MOVABLE_IN_USE if server else guards.MOVABLE
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, action, needed,
                                 job={"args": {"to_host": host, "server": server}})
            return Accepted(None, job_id, self.scheduler)

    def _server_of(self, tx, row):
        """The id of the server that uses the volume, if Nova can switch it to a copy; otherwise None."""
        present = attachments.of_volume(tx, row.id)
        if len(present) != 1 or present[0].attach_status != states.ATTACHED or not self.nova.is_configured:
            return None
        return present[0].instance_uuid

    @accepts
    def retype(self, ctx: context.Context, id: str, new_type: str, may_move: bool) -> Accepted[None]:
        """Change the volume's type; `may_move`: it may be migrated if its backend does not suit the type."""
        with self.db.read() as tx:
            row, type_ = volumes.get(tx, ctx, id), types.get_by_name_or_id(tx, ctx, new_type)
            allowance = quotas.allowance(tx, self.conf, row.project_id)
            consumer, _ = qos_specs.of_type(tx, type_.id)
        if type_.id == row.volume_type_id:
            raise errors.InvalidInput(reason=f"Volume {id} is of type {type_.name} already.")
        new_volumes.check_size(type_, row.size)
        multiattach = new_volumes.is_multiattach(type_)
        needed = [guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING, guards.NO_GROUP, guards.NO_COPIES,
                  guards.still_of_size(row.size), guards.still_of_type(row.volume_type_id)]
        if multiattach != row.multiattach:
            needed.append(guards.NOT_ATTACHED)
        consumers = (row.type_qos_consumer, consumer)
        if row.type_qos_id != type_.qos_specs_id and any(one in qos.FRONT_END for one in consumers):
            needed.append(guards.HOSTS_LIMITS_KEPT)
        with self.db.write() as tx:
            server = self._server_of(tx, row) if may_move else None
            types.lock_shared(tx, type_.id)
            shares = retypes.shares(tx, self.conf, row)
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, "retype", needed, row=row, allowance=allowance, job={
                "args": {"new_type_id": type_.id, "may_move": may_move, "multiattach": multiattach, "server": server,
                         "shares": shares}})
            return Accepted(None, job_id, self.scheduler)
