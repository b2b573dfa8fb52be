"""Runs the jobs of migrations and retypes: copies a volume to this backend and removes it from the former one."""

import contextlib
import dataclasses
import logging
from typing import Any

from oslo_config import cfg

from cinder_lite import concurrency, db, errors, states
from cinder_lite.blockio import copy as copying
from cinder_lite.concurrency import clock
from cinder_lite.db import attachments, connections, job_queries, pool_stats, qos, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds, outcomes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.work import Work
from cinder_lite.nova import client
from cinder_lite.rpc import calls
from cinder_lite.volume import connections as domain
from cinder_lite.volume import driver_calls, driver_views, migration_target
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets
from cinder_lite.volume.targets import readers

LOG = logging.getLogger(__name__)

#: Seconds to wait for the cleanup of the former place before the copy is renamed, and between two checks.
CLEANUP_TIMEOUT, INTERVAL = 60, 0.1


class MigrationJobs:
    """The jobs that migrate volumes to one backend. The name of a copy has the id of its job."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, volume: Any) -> None:
        self.db, self.conf, self.backend, self.volume = database, conf, backend, volume
        self.nova = client.Nova(conf)

    def migrate(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(volumes.find(tx, work.job.resource_id))
        work.begin()
        self._migrate(work, row, driver_views.as_volume(row))

    def retype(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(volumes.find(tx, work.job.resource_id))
            type_ = types.find(tx, work.args["new_type_id"])
            qos_specs = driver_views.backend_qos(*qos.of_type(tx, work.args["new_type_id"]))
        if type_ is None:
            raise outcomes.Refused("the new type has been deleted")
        work.begin()
        volume = dataclasses.replace(driver_views.as_volume(row), extra_specs=type_.extra_specs, qos=qos_specs)
        if work.args["to"] != row.host or work.args.get("placed"):
            self._migrate(work, row, volume)
        elif isinstance(self.backend.driver, drivers.AppliesQos):
            self.backend.call(self.backend.driver.apply_qos, volume)
        if work.next_stage is not None:
            return
        work.keep(volume_type_id=type_.id, multiattach=work.args["multiattach"])

    def _migrate(self, work, row, volume):
        """Copy the volume to this backend, unless a former attempt did, and give the copy the volume's name."""
        if not work.args.get("placed"):
            self._create_copy(work, row, volume)
        if work.next_stage is None:
            self._rename(work, volume)
            work.keep(migration_status=states.MIGRATED)

    def _create_copy(self, work, row, volume):
        copy = dataclasses.replace(volume, name_id=work.job.id, facts={})
        limited = isinstance(self.backend.driver, drivers.AppliesQos) and bool(volume.qos)
        if limited and not work.args.get("server"):
            copy = dataclasses.replace(copy, qos={})  # limits for the volume's user must not slow down the copying
        if not self.backend.call(self.backend.driver.exists, copy):
            work.args["copied"] = 0
        facts = driver_calls.fenced(work, self.backend.driver.create, copy) or {}
        copy = dataclasses.replace(copy, facts=facts)
        if work.args.get("server"):
            self._start_swap(work, row, facts)
            return
        source = self._open_source(work, row)
        try:
            concurrency.in_thread(self._copy, work, source, self.backend.content(copy), row.size)
        except copying.Cancelled as error:
            raise outcomes.Interrupted from error
        if limited:
            self.backend.call(self.backend.driver.apply_qos, dataclasses.replace(copy, qos=volume.qos))
        if "attached" in work.args:
            self._detach(work.args["attached"])
        work.args |= {"rename": self._can_rename(copy), "former": row.host}
        self._place(work, row, facts)
        self.volume.on(service_of(row.host)).run_job(work.ctx, job_id=work.args["left"])

    def _can_rename(self, copy):
        """Whether the copy can get the volume's own name, and no cleanup job will remove an object of that name.

        Called while the volume is still at its former place: if two backends share their storage, the name is taken,
        and the cleanup job of the former place, which can be repeated after a crash, removes the object of that name.
        """
        driver = self.backend.driver
        own = dataclasses.replace(copy, name_id=None)
        if not isinstance(driver, drivers.ManagesExisting) or self.backend.call(driver.exists, own):
            return False
        with self.db.read() as tx:
            return all(one.args["name_id"] not in (None, copy.id)
                       for one in job_queries.live_of(tx, "leftover", copy.id))

    @db.retried
    def _place(self, work, row, facts):
        """Record that the volume is on this backend, and a job that removes it from the former one."""
        with self.db.write() as tx:
            work.still_ours(tx)
            VOLUME.write(tx, row.id, host=work.args["to"], name_id=work.job.id, facts=facts, export={},
                         availability_zone=self.backend.zone, **self.backend.ownership)
            # The exports of the former place are removed with it.
            connections.delete_all(tx, row.id)
            work.args |= {"placed": True, "left": holds.leave_former_place(tx, work.job, row)}
            work.still_ours(tx)

    def _rename(self, work, volume):
        """Give the copy the volume's own name; if that fails, it keeps the other name and stays usable."""
        with self.db.read() as tx:
            present = volumes.find(tx, volume.id)
        if not work.args["rename"] or present.name_id != work.job.id:
            return
        if not self._wait_for_cleanup(work):
            LOG.warning("volume %s keeps the name of its copy on %s: it is still on %s as well", volume.id,
                        self.backend.name, work.args["former"])
            return
        copy = dataclasses.replace(volume, name_id=work.job.id, facts=present.facts)
        own = dataclasses.replace(copy, name_id=None)
        try:
            driver_calls.fenced(work, self.backend.driver.manage, own, {"source-name": copy.name})
        except drivers.DriverError as error:
            LOG.warning("volume %s keeps the name %s on %s: %s", volume.id, copy.name, self.backend.name, error)
            return
        try:
            self._keep(work, name_id=None)
        except errors.Stale:
            # If the job was ended meanwhile, the database has the other name; a worker that took over renames it too.
            with outcomes.quiet(f"renaming {own.name} back to {copy.name}"):
                if work.has_failed():
                    self.backend.call(self.backend.driver.manage, copy, {"source-name": own.name})
            raise

    @db.retried
    def _record_copy(self, work, row, facts):
        """Whether a former attempt has asked Nova."""
        with self.db.write() as tx:
            work.still_ours(tx)
            columns = {"facts": facts, **self.backend.ownership}
            first = migration_target.insert(tx, work, row, self.backend.zone, columns)
            return not first and bool(attachments.of_volume(tx, work.job.id))

    def _start_swap(self, work, row, facts):
        """Ask Nova to copy the data and switch the server to the copy; see verbs.migration_completion for the end."""
        if not self._record_copy(work, row, facts):
            try:
                with work.waits_for("Nova"):
                    self.nova.swap(work.args["server"], row.id, work.job.id)
            except errors.Unavailable as error:
                raise outcomes.Refused(str(error), public=error.public) from error
        work.pass_on(states.AT_NOVA, None)

    def _open_source(self, work, row):
        """The location of the volume's bytes; a volume of another host is attached to this one.

        The access of all other hosts is revoked.
        """
        source = self.volume.on(service_of(row.host))
        self._end_access(work, row)
        try:
            try:
                with work.outside():
                    return source.open_local(work.ctx, kind="volume", id=row.id, host=self.conf.host)
            except errors.OnAnotherHost:
                return self._attach(work, row, source)
        except calls.NoAnswer as error:
            raise outcomes.Interrupted from error

    @db.retried
    def _end_access(self, work, row):
        with self.db.write() as tx:
            domain.end_all(tx, VOLUME.locked(tx, row.id), except_attachment=work.job.id)

    def _attach(self, work, row, source):
        """Attach the volume of another host to this one by its target's protocol. Returns the location of its bytes."""
        with self.db.read() as tx:
            protocol = pool_stats.capabilities(tx, row.host).get("storage_protocol")
        if protocol not in readers.protocols():
            raise outcomes.Refused(f"{service_of(row.host)} exports its volumes by {protocol}, which other hosts "
                                   "cannot read; configure a target_helper with one of the protocols "
                                   f"{', '.join(readers.protocols())}", public=errors.STORAGE)
        reader = readers.of(protocol)
        connector = {**concurrency.in_thread(reader.connector), "host": self.conf.host, "multipath": False}
        with work.outside():
            info = source.connect(work.ctx, volume_id=row.id, attachment_id=work.job.id, connector=connector)
        # Recorded before it is attached, so that it is detached if the job fails (see holds.destination).
        work.args["attached"] = {**reader.names(info["data"]), "protocol": protocol, "connector": connector,
                                 "host": service_of(row.host)}
        self._keep(work)
        return concurrency.in_thread(reader.attach, info["data"])

    @staticmethod
    def _detach(attached):
        concurrency.in_thread(readers.of_recorded(attached).detach, attached)

    def _wait_for_cleanup(self, work):
        """Wait until the former place is removed if it is on this host. Returns whether it is.

        The backends of a host may share a target daemon, in which the volume's name can exist only once.
        """
        if work.args["former"].partition("@")[0] != self.backend.name.partition("@")[0]:
            return True
        end = clock.monotonic() + CLEANUP_TIMEOUT
        with work.outside():
            while self._is_live(work.args["left"]):
                if work.cancelled():
                    raise outcomes.Interrupted
                if clock.monotonic() > end:
                    return False
                clock.sleep(INTERVAL)
        return True

    def _is_live(self, job_id):
        with self.db.read() as tx:
            return job_queries.is_live(tx, job_id)

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
                     self.conf.volume_copy_bps_limit, progress, work.cancelled, work.fence)

    def remove(self, work: Work) -> None:
        """Remove a volume from a former place; repeated until it succeeds."""
        volume = self._recorded(work)
        with self._repeated(volume.name):
            if work.args.get("attached"):
                self._detach_source(work, work.args["attached"])
            # The volume may have been migrated back by then, if another worker did this before.
            with work.fence:
                self.backend.remove_exports(volume)
                self.backend.call(self.backend.driver.delete, volume)

    def remove_copy(self, work: Work) -> None:
        """Remove the frozen copy of a volume that an ended job has read; repeated until it succeeds."""
        frozen = drivers.Snapshot(id=work.args["copy_id"], size=work.args["size"], volume=self._recorded(work))
        with self._repeated(frozen.name):
            self.backend.call(self.backend.driver.delete_snapshot, frozen)

    @staticmethod
    def _recorded(work):
        """The volume as it was when the job was recorded; it may have moved or been deleted since."""
        args = work.args
        return drivers.Volume(work.job.resource_id, args["size"], args["facts"], name_id=args["name_id"])

    @contextlib.contextmanager
    def _repeated(self, name):
        """Repeat the job if the backend fails to remove the object of that name."""
        try:
            yield
        except (drivers.DriverError, targets.TargetError, readers.AttachFailed, errors.Error) as error:
            LOG.warning("%s cannot be removed from %s yet: %s", name, self.backend.name, error)
            raise outcomes.Interrupted from error

    def _detach_source(self, work, attached):
        """Detach the source of a failed copy, and remove its export."""
        self._detach(attached)
        with work.outside():
            self.volume.on(attached["host"]).disconnect(work.ctx, volume_id=work.job.resource_id,
                                                        attachment_id=work.job.id, connector=attached["connector"])
