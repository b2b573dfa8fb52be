"""The work of migrations and retypes: a copy elsewhere, the row that points there, the former place cleared."""

import dataclasses
import logging

from cinder_lite import abandon, compute, concurrency, db, errors, states, worker
from cinder_lite.db import attachments, connections, pools, qos, retypes, types, volumes
from cinder_lite.lifecycle import VOLUME
from cinder_lite.volume import connections as domain
from cinder_lite.volume import copying, initiator, swaps
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.hosts import service_of
from cinder_lite.volume.manager import as_volume, limits
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)


class Moves:
    """What a backend does to take volumes over from others. A job is named like the copy that it makes."""

    def __init__(self, database, conf, backend, volume):
        self.db, self.conf, self.backend, self.volume = database, conf, backend, volume
        self.nova = compute.Nova(conf)
        self.handlers = {
            ("volume", "migrate"): self.migrate, ("volume", "migrate_locked"): self.migrate,
            ("volume", "migrate_in_use"): self.migrate, ("volume", "retype"): self.retype, ("leftover", "remove"): self.remove}

    def migrate(self, work):
        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
        work.when_failed(lambda tx: abandon.move(tx, work.job))
        work.begin()
        self._move(work, row, as_volume(row))

    def retype(self, work):
        with self.db.read() as tx:
            row, type_ = volumes.find(tx, work.job.resource_id), types.find(tx, work.args["new_type_id"])
            qos_specs = limits(*qos.of_type(tx, work.args["new_type_id"]))
        work.when_failed(lambda tx: abandon.move(tx, work.job))
        if type_ is None:
            raise worker.Refused("the new type has been deleted")
        work.begin()
        volume = dataclasses.replace(as_volume(row), extra_specs=type_.extra_specs, qos=qos_specs)
        if work.args["to"] != row.host:
            self._move(work, row, volume)
        elif isinstance(self.backend.driver, drivers.AppliesQos):
            self.backend.call(self.backend.driver.apply_qos, volume)
        if work.next_stage is not None:
            return
        work.when_done(lambda tx: retypes.settle(tx, self.conf, row, work.args))
        work.keep(volume_type_id=type_.id, multiattach=work.args["multiattach"])

    def _move(self, work, row, volume):
        made, to = dataclasses.replace(volume, name_id=work.job.id, facts={}), work.args["to"]
        limited = isinstance(self.backend.driver, drivers.AppliesQos) and bool(volume.qos)
        if limited and not work.args.get("server"):
            made = dataclasses.replace(made, qos={})  # the copy takes no longer for limits that its reader does not have
        if not self.backend.call(self.backend.driver.exists, made):
            work.args["copied"] = 0
        facts = self.backend.call(self.backend.driver.create, made) or {}
        made = dataclasses.replace(made, facts=facts)
        if work.args.get("server"):
            self._let_nova_copy(work, row, facts)
            return
        source = self._reach(work, row)
        try:
            concurrency.in_thread(self._copy, work, source, self.backend.content(made), row.size)
        except copying.Cancelled as error:
            raise worker.Interrupted from error
        if limited:
            self.backend.call(self.backend.driver.apply_qos, dataclasses.replace(made, qos=volume.qos))
        if "attached" in work.args:
            concurrency.in_thread(initiator.detach, work.args["attached"])
        left = []

        def moved(tx):
            # What the former place exports goes with it.
            connections.delete_all(tx, row.id)
            pools.give_back(tx, row.host, row.size, 1)
            left.append(abandon.leave(tx, work.job, as_volume(row), row.host))

        # A transaction changes usage before room: a retype's own comes first.
        work.when_done(moved)
        work.keep(host=to, name_id=work.job.id, facts=facts, export={}, migration_status=states.MIGRATED,
                  availability_zone=self.backend.zone, **self.backend.ownership)
        work.afterwards(lambda: self.volume.on(service_of(row.host)).run_job(work.ctx, job_id=left[-1]))

    def _let_nova_copy(self, work, row, facts):
        """The server that has the volume goes on with the copy, when Nova says that it is made (see swaps.Swaps)."""
        with self.db.write() as tx:
            work.still_ours(tx)
            first = swaps.stand_in(tx, work, row, self.backend.zone, {"facts": facts, **self.backend.ownership})
            asked = not first and bool(attachments.of_volume(tx, work.job.id))
        if not asked:
            try:
                self.nova.swap(work.args["server"], row.id, work.job.id)
            except errors.Unavailable as error:
                raise worker.Refused(str(error)) from error
        work.pass_on(states.AT_NOVA, None)

    def _reach(self, work, row):
        """Where the bytes of the volume are: on this host, or on another's, where it is attached then.

        No other host is connected to them from then on.
        """
        source = self.volume.on(service_of(row.host))
        with self.db.write() as tx:
            VOLUME.lock(tx, row.id)
            domain.end_all(tx, volumes.find(tx, row.id), but_attachment=work.job.id)
        try:
            with work.outside():
                return source.open_local(work.ctx, kind="volume", id=row.id, host=self.conf.host)
        except errors.OnAnotherHost:
            connector = {"initiator": concurrency.in_thread(initiator.name), "host": self.conf.host, "multipath": False}
        with work.outside():
            info = source.connect(work.ctx, volume_id=row.id, attachment_id=work.job.id, connector=connector)
        if info["driver_volume_type"] != initiator.PROTOCOL:
            raise worker.Refused(f"{service_of(row.host)} exports its volumes by {info['driver_volume_type']}, by which "
                                 "other hosts cannot copy them: give it a target_helper for iSCSI, tgt or lio")
        # Written down before it is true: whoever gives the job up has it undone (see abandon.move).
        work.args["attached"] = {**initiator.names(info["data"]), "connector": connector, "host": service_of(row.host)}
        self._keep(work)
        return {"path": concurrency.in_thread(initiator.attach, info["data"])}

    @db.retried
    def _keep(self, work):
        with self.db.write() as tx:
            work.still_ours(tx)

    def _copy(self, work, source, destination, size):
        def progress(done, whole):
            work.args["copied"] = done
            work.progress(done, whole)

        copying.copy(source, destination, size * drivers.GIB, work.args.get("copied", 0),
                     self.conf.volume_copy_bps_limit, progress, work.cancelled)

    def remove(self, work):
        """Clear a place; tried until it succeeds, since nobody else does it."""
        args = work.args
        volume = drivers.Volume(work.job.resource_id, args["size"], args["facts"], name_id=args["name_id"])
        try:
            if args.get("attached"):
                self._let_go(work, args["attached"])
            self.backend.clear(volume)
            self.backend.call(self.backend.driver.delete, volume)
        except (drivers.DriverError, targets.TargetError, initiator.AttachFailed, errors.Error) as error:
            LOG.warning("%s cannot be removed from %s yet: %s", volume.name, self.backend.name, error)
            raise worker.Interrupted from error

    def _let_go(self, work, attached):
        """Detach the source of a copy that was given up, and have its export taken back."""
        concurrency.in_thread(initiator.detach, attached)
        with work.outside():
            self.volume.on(attached["host"]).disconnect(work.ctx, volume_id=work.job.resource_id,
                                                        attachment_id=work.job.id, connector=attached["connector"])
