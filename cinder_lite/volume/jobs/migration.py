"""The work of migrations and retypes: a copy elsewhere, the row that points there, the former place cleared."""

import dataclasses
import logging
import time

from cinder_lite import concurrency, db, errors, states
from cinder_lite.blockio import copy as copying
from cinder_lite.db import attachments, connections, jobs, pools, qos, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds, worker
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.nova import client
from cinder_lite.volume import connections as domain
from cinder_lite.volume import migration_target
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets
from cinder_lite.volume.targets import readers

LOG = logging.getLogger(__name__)

#: Seconds for which the former place of a volume is waited for before it gets its name here, and between two looks.
PATIENCE, INTERVAL = 60, 0.1


class Moves:
    """What a backend does to take volumes over from others. A job is named like the copy that it makes."""

    def __init__(self, database, conf, backend, volume):
        self.db, self.conf, self.backend, self.volume = database, conf, backend, volume
        self.nova = client.Nova(conf)

    def migrate(self, work):
        with self.db.read() as tx:
            row = worker.found(volumes.find(tx, work.job.resource_id))
        work.begin()
        self._move(work, row, drivers.as_volume(row))

    def retype(self, work):
        with self.db.read() as tx:
            row, type_ = worker.found(volumes.find(tx, work.job.resource_id)), types.find(tx, work.args["new_type_id"])
            qos_specs = drivers.backend_qos(*qos.of_type(tx, work.args["new_type_id"]))
        if type_ is None:
            raise worker.Refused("the new type has been deleted")
        work.begin()
        volume = dataclasses.replace(drivers.as_volume(row), extra_specs=type_.extra_specs, qos=qos_specs)
        if work.args["to"] != row.host or work.args.get("placed"):
            self._move(work, row, volume)
        elif isinstance(self.backend.driver, drivers.AppliesQos):
            self.backend.call(self.backend.driver.apply_qos, volume)
        if work.next_stage is not None:
            return
        work.keep(volume_type_id=type_.id, multiattach=work.args["multiattach"])

    def _move(self, work, row, volume):
        """Copy the volume here, unless that was done before a crash, and give the copy its name."""
        if not work.args.get("placed"):
            self._make_copy(work, row, volume)
        if work.next_stage is None:
            self._rename(work, volume)
            work.keep(migration_status=states.MIGRATED)

    def _make_copy(self, work, row, volume):
        made = dataclasses.replace(volume, name_id=work.job.id, facts={})
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
            self._detach(work.args["attached"])
        work.args |= {"rename": self._may_rename(made), "former": row.host}
        self._place(work, row, facts)
        self.volume.on(service_of(row.host)).run_job(work.ctx, job_id=work.args["left"])

    def _may_rename(self, made):
        """Whether the copy can have the volume's own name here, and nobody is going to remove what has that name.

        While the former place still has the volume: where two backends share what they are on, its name is taken, and stays
        so although the volume is removed there. That can be repeated after a crash, here too when the volume comes back.
        """
        driver = self.backend.driver
        if not isinstance(driver, drivers.ManagesExisting) or self.backend.call(driver.exists, dataclasses.replace(made, name_id=None)):
            return False
        with self.db.read() as tx:
            return all(one.args["name_id"] not in (None, made.id) for one in jobs.live_of(tx, "leftover", made.id))

    @db.retried
    def _place(self, work, row, facts):
        """The volume is here from now on, whatever becomes of the rest; a job of its own clears the former place."""
        with self.db.write() as tx:
            work.still_ours(tx)
            VOLUME.write(tx, row.id, host=work.args["to"], name_id=work.job.id, facts=facts, export={},
                         availability_zone=self.backend.zone, **self.backend.ownership)
            # What the former place exports goes with it.
            connections.delete_all(tx, row.id)
            pools.give_back(tx, row.host, row.size, 1)
            work.args |= {"placed": True, "left": holds.schedule_former_cleanup(tx, work.job, row)}
            work.still_ours(tx)

    def _rename(self, work, volume):
        """Give the copy the volume's own name, by which others find it; it stays usable by the other if that fails."""
        with self.db.read() as tx:
            present = volumes.find(tx, volume.id)
        if not work.args["rename"] or present.name_id != work.job.id:
            return
        if not self._cleared(work):
            LOG.warning("volume %s keeps its name on %s: it is still on %s as well", volume.id, self.backend.name,
                        work.args["former"])
            return
        copy = dataclasses.replace(volume, name_id=work.job.id, facts=present.facts)
        own = dataclasses.replace(copy, name_id=None)
        try:
            self.backend.call(self.backend.driver.manage, own, {"source-name": copy.name})
        except drivers.DriverError as error:
            LOG.warning("volume %s keeps the name %s on %s: %s", volume.id, copy.name, self.backend.name, error)
            return
        try:
            self._keep(work, name_id=None)
        except errors.Stale:
            # Somebody has ended the job, for whom the volume has the other name.
            with worker.quiet(f"naming {own.name} {copy.name} again"):
                self.backend.call(self.backend.driver.manage, copy, {"source-name": own.name})
            raise

    def _let_nova_copy(self, work, row, facts):
        """The server that has the volume goes on with the copy, when Nova says that it is made (see swaps.Swaps)."""
        with self.db.write() as tx:
            work.still_ours(tx)
            first = migration_target.insert(tx, work, row, self.backend.zone, {"facts": facts, **self.backend.ownership})
            asked = not first and bool(attachments.of_volume(tx, work.job.id))
        if not asked:
            try:
                self.nova.swap(work.args["server"], row.id, work.job.id)
            except errors.Unavailable as error:
                raise worker.Refused(str(error), public=error.public) from error
        work.pass_on(states.AT_NOVA, None)

    def _reach(self, work, row):
        """Where the bytes of the volume are: on this host, or on another's, where it is attached then.

        No other host is connected to them from then on.
        """
        source = self.volume.on(service_of(row.host))
        with self.db.write() as tx:
            VOLUME.lock(tx, row.id)
            domain.end_all(tx, volumes.find(tx, row.id), except_attachment=work.job.id)
        try:
            with work.outside():
                return source.open_local(work.ctx, kind="volume", id=row.id, host=self.conf.host)
        except errors.OnAnotherHost:
            return self._attach(work, row, source)

    def _attach(self, work, row, source):
        """Attach the volume of another host to this one, by the protocol of its target. Returns where its bytes are."""
        with self.db.read() as tx:
            protocol = pools.capabilities(tx, row.host).get("storage_protocol")
        if protocol not in readers.protocols():
            raise worker.Refused(f"{service_of(row.host)} exports its volumes by {protocol}, by which other hosts cannot copy "
                                 f"them: give it a target_helper whose protocol they can read "
                                 f"({', '.join(readers.protocols())})", public=errors.STORAGE)
        reader = readers.of(protocol)
        connector = {**concurrency.in_thread(reader.connector), "host": self.conf.host, "multipath": False}
        with work.outside():
            info = source.connect(work.ctx, volume_id=row.id, attachment_id=work.job.id, connector=connector)
        # Written down before it is true: whoever gives the job up has it undone (see holds._Destination).
        work.args["attached"] = {**reader.names(info["data"]), "protocol": protocol, "connector": connector,
                                 "host": service_of(row.host)}
        self._keep(work)
        return concurrency.in_thread(reader.attach, info["data"])

    @staticmethod
    def _detach(attached):
        concurrency.in_thread(readers.of_recorded(attached).detach, attached)

    def _cleared(self, work):
        """Whether nothing of the former place is left that has the volume's name; that is waited for a while.

        Backends of one host may export by one daemon, which knows the volume by that name; other hosts have another.
        """
        if work.args["former"].partition("@")[0] != self.backend.name.partition("@")[0]:
            return True
        end = time.monotonic() + PATIENCE
        with work.outside():
            while self._is_live(work.args["left"]):
                if work.cancelled():
                    raise worker.Interrupted
                if time.monotonic() > end:
                    return False
                time.sleep(INTERVAL)
        return True

    def _is_live(self, job_id):
        with self.db.read() as tx:
            return jobs.is_live(tx, job_id)

    @db.retried
    def _keep(self, work, **columns):
        with self.db.write() as tx:
            work.still_ours(tx)
            if columns:
                VOLUME.write(tx, work.job.resource_id, **columns)

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
            self.backend.remove_exports(volume)
            self.backend.call(self.backend.driver.delete, volume)
        except (drivers.DriverError, targets.TargetError, readers.AttachFailed, errors.Error) as error:
            LOG.warning("%s cannot be removed from %s yet: %s", volume.name, self.backend.name, error)
            raise worker.Interrupted from error

    def remove_copy(self, work):
        """Remove the frozen copy of a volume from which a job that was ended may still be reading, as `remove` does."""
        args = work.args
        volume = drivers.Volume(work.job.resource_id, args["size"], args["facts"], name_id=args["name_id"])
        frozen = drivers.Snapshot(id=args["copy_id"], size=args["size"], volume=volume)
        try:
            self.backend.call(self.backend.driver.delete_snapshot, frozen)
        except drivers.DriverError as error:
            LOG.warning("%s cannot be removed from %s yet: %s", frozen.name, self.backend.name, error)
            raise worker.Interrupted from error

    def _let_go(self, work, attached):
        """Detach the source of a copy that was given up, and have its export taken back."""
        self._detach(attached)
        with work.outside():
            self.volume.on(attached["host"]).disconnect(work.ctx, volume_id=work.job.resource_id,
                                                        attachment_id=work.job.id, connector=attached["connector"])
