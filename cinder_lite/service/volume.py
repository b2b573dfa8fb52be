"""Runs the volume service: one process with any number of independent backends."""

import logging

from cinder_lite import concurrency, db
from cinder_lite.concurrency import clock
from cinder_lite.conf import unread
from cinder_lite.db import members, pool_stats, volumes
from cinder_lite.host import network
from cinder_lite.jobs import outcomes
from cinder_lite.nova.events import ServerEvents
from cinder_lite.rpc import transport
from cinder_lite.service import process
from cinder_lite.service.registered import RegisteredService
from cinder_lite.volume import backends, loading
from cinder_lite.volume.exports import Exports
from cinder_lite.volume.jobs import lost_snapshots
from cinder_lite.volume.jobs.creation import CreationJobs
from cinder_lite.volume.jobs.groups import GroupJobs
from cinder_lite.volume.jobs.images import ImageJobs
from cinder_lite.volume.jobs.manage import ManageJobs
from cinder_lite.volume.jobs.migration import MigrationJobs
from cinder_lite.volume.jobs.snapshots import SnapshotJobs
from cinder_lite.volume.jobs.volumes import VolumeJobs
from cinder_lite.volume.manager import VolumeManager
from cinder_lite.volume.rpcapi import VolumeRPC

LOG = logging.getLogger(__name__)

BINARY = "cinder-volume"
#: Seconds between attempts to start a backend.
RETRY = 2
#: Seconds without events after which the host's network is stable, and the longest wait for that.
QUIET_PERIOD, LONGEST_WAIT = 0.3, 2


class BackendService(RegisteredService):
    """One backend: its heartbeat, its worker and its RPC server."""

    def __init__(self, shared: process.Process, section: str) -> None:
        self.backend = backends.Backend(shared.conf, section)
        super().__init__(shared, BINARY, self.backend.member, self.backend.zone, self._columns, self._recorded)
        self._owner_uuid = None  # the service's uuid that is recorded with the backend's volumes
        migration = MigrationJobs(shared.db, self.conf, self.backend, shared.volume)
        manage = ManageJobs(shared.db, self.conf, self.backend)
        groups = GroupJobs(shared.db, self.conf, self.backend)
        exports = Exports(shared.db, self.conf, self.backend)
        self.images = ImageJobs(shared.db, self.conf, self.backend, shared.volume, exports)
        servers = ServerEvents(shared.db, self.conf)
        self.manager = VolumeManager(shared.db, self.conf, self.backend, self.heartbeat.owner, exports, {
            "creation": CreationJobs(shared.db, self.conf, self.backend, shared.backup, self.images),
            "volumes": VolumeJobs(shared.db, self.backend, exports, servers),
            "snapshots": SnapshotJobs(shared.db, self.backend),
            "migration": migration, "manage": manage, "groups": groups, "images": self.images, "servers": servers})
        self.manager.worker.events = shared.events
        self.worker = shared.metered(self.manager.worker, self.backend.driver, self.backend.target)
        self._measuring = self.every(self.conf.backend_stats_polling_interval, self.measure,
                                     f"measuring {self.backend.name} failed, will be retried")
        self._sweeping = self.every(self.conf.job_sweep_interval, self.manager.exports.sweep,
                                    "removing ended connections failed, will be retried")
        self.started, self.tried, self.access_requested = False, False, False

    def _columns(self):
        problem = self.backend.problem(self.conf.service_down_time)
        return {"backend_up": problem is None, "backend_reason": problem, "rpc_version": VolumeRPC.version,
                "cluster_name": self.backend.cluster}

    def _recorded(self, row):
        """Assign the backend's volumes to the service's row: at start, and when the row was created again."""
        if self.backend.cluster is not None:
            row = self._beat_cluster()
        if row is not None and row.uuid != self._owner_uuid:
            self.backend.ownership = volumes.ownership(row.uuid, self.backend.cluster)
            with self.process.db.write() as tx:
                volumes.set_service(tx, self.backend.name, self.backend.ownership)
            self._owner_uuid = row.uuid

    @db.retried
    def _beat_cluster(self):
        """Record in the cluster's row that a member is alive, once the storage has been identified; the row."""
        if self.backend.cluster_id is None:
            return None
        with self.process.db.write() as tx:
            return members.beat(tx, self.backend.name, self.backend.cluster_id, self.backend.zone, self._columns(),
                                self.conf.service_down_time)

    def start(self) -> None:
        """Start the backend; can be called again after it has raised."""
        # Registered before the check, which may take long: requests that only this backend can take wait for it.
        self.register()
        if self.backend.cluster is not None:
            self._find_cluster()
        self.backend.check()
        self.heartbeat.beat()
        self.expire_leases("volume", self.backend.cluster)
        self._clean_up()
        self.measure()
        self._measuring.start()
        self._sweeping.start()
        self.serve(VolumeRPC, self.manager, self.backend.cluster)
        self.started = True

    def _find_cluster(self):
        with self.process.db.write() as tx:
            row = members.find(tx, self.backend.name)
            # Those of a service that was in no cluster.
            pool_stats.delete_others(tx, self.backend.member, [])
        self.backend.cluster_id = row and row.uuid

    def stop(self, timeout: float) -> None:
        """Stop as other services do, and record it for the cluster."""
        super().stop(timeout)
        if self.backend.cluster is not None:
            with outcomes.quiet(f"recording the end of a member of {self.backend.cluster}"):
                with self.process.db.write() as tx:
                    members.settle(tx, self.backend.cluster)

    def enable_access(self) -> None:
        """Let hosts connect; report the backend as down if that fails."""
        self.access_requested, target = True, self.backend.target
        if self.backend.up and target is not None and not target.access_enabled:
            target.access_enabled = True
            self.backend.check()

    @property
    def failure(self) -> str | None:
        """Why the backend does not work, or None."""
        return self.backend.problem(self.conf.service_down_time) or (None if self.started else "it is being started")

    @property
    def hangs(self) -> bool:
        """Whether a check of the backend has had no answer for as long as makes a service down."""
        return self.backend.hangs(self.conf.service_down_time) is not None

    def _clean_up(self):
        """Remove incomplete objects of a former process, and export again what it exported."""
        if self.backend.up:
            self.backend.call(self.backend.driver.clean_up)
            self.images.clean_up()
            self.manager.exports.restore()

    def measure(self) -> None:
        """Check and measure the backend, and record its pools for the scheduler."""
        was_up, old_addresses = self.backend.up, self.backend.addresses
        since = db.now()
        target = self.backend.target
        lost = was_up and self.manager.exports.are_lost()
        if lost and target is not None:
            LOG.warning("the target of %s has lost exports; making them again", self.backend.name)
            # The check must not let hosts connect before all exports are back.
            target.access_enabled = False
        self.backend.check()
        found = self.backend.measure() if self.backend.up else []
        with self.process.db.write() as tx:
            for name, values in found:
                pool_stats.update_stats(tx, name, self.backend.name, since, values)
            if found:
                pool_stats.delete_others(tx, self.backend.name, [name for name, _ in found])
        if self.backend.up != was_up:
            self.heartbeat.beat()
            if self.backend.up:
                self._clean_up()
        elif lost or self.backend.addresses != old_addresses:
            self.manager.exports.restore()
        if self.access_requested:
            self.enable_access()
        if self.backend.up:
            lost_snapshots.record(self.process.db, self.conf, self.backend)
            self.backend.call(self.backend.driver.run_maintenance)

    def check_addresses(self) -> None:
        """Measure at once if the addresses on which volumes are exported have changed."""
        if self.started and self.backend.addresses_changed():
            self._measuring.kick()


class VolumeService:
    """All enabled backends. They start concurrently, so that a slow one delays no other."""

    def __init__(self, shared: process.Process) -> None:
        if any(loading.load(shared.conf, section)[1].cluster for section in loading.enabled(shared.conf)):
            # One that hangs must not keep messages that other members could get.
            shared.conf.set_default("rabbit_qos_prefetch_count", 1, group=transport.RABBIT)
        self.backends = [BackendService(shared, section) for section in loading.enabled(shared.conf)]
        self._stopping, self.ready = False, False
        unread.log_unread(shared.conf, shared.conf.enabled_backends)

    def start(self) -> None:
        for backend in self.backends:
            concurrency.spawn(self._start, backend)
        concurrency.spawn(self._watch_start)
        if any(backend.backend.target is not None for backend in self.backends):
            concurrency.spawn(self._watch)

    def _watch_start(self):
        """Do not wait for a backend that hangs: it cannot restore its exports."""
        while not self.ready and not self._stopping:
            clock.sleep(RETRY)
            self._enable_access()

    def _watch(self):
        """Have backends check their addresses after each change of the host's network."""
        with network.changes() as events:
            while not self._stopping:
                _wait_until_stable(events)
                for backend in self.backends:
                    with outcomes.quiet(f"checking the addresses of {backend.backend.name}"):
                        backend.check_addresses()

    def _start(self, backend):
        while not self._stopping:
            try:
                backend.start()
                return
            except Exception:
                # The outermost loop of a backend: the cause may be temporary.
                LOG.exception("backend %s could not be started, will be retried", backend.backend.name)
            finally:
                backend.tried = True
                self._enable_access()
            clock.sleep(RETRY)

    def _enable_access(self):
        """Become ready and let hosts connect when each backend has restored its exports or reported why it cannot.

        Not each backend by itself: hosts take a volume that is not exported yet for a deleted one, and backends may
        share a portal.
        """
        if all(backend.tried or backend.hangs for backend in self.backends):
            for backend in self.backends:
                with outcomes.quiet(f"enabling access to {backend.backend.name}"):
                    backend.enable_access()
            self.ready = True

    def status(self) -> str:
        down = {backend.backend.section: backend.failure for backend in self.backends if backend.failure}
        jobs = sum(backend.manager.worker.pool.running for backend in self.backends)
        text = f"volume: {len(self.backends) - len(down)} of {len(self.backends)} backends up, {jobs} jobs running"
        return ", ".join([text, *(f"{section} is down: {reason}" for section, reason in down.items())])

    def stop(self, timeout: float) -> None:
        self._stopping = True
        with clock.deadline(timeout) as left:
            for backend in self.backends:
                backend.stop(left())


def _wait_until_stable(events):
    """Wait for an event, and then for a period without events."""
    try:
        events.settimeout(None)
        events.recv(65536)
        events.settimeout(QUIET_PERIOD)
        with clock.deadline(LONGEST_WAIT) as left:
            while left():
                events.recv(65536)
    except OSError:
        # No event for a period; or the kernel's queue overflowed, which is also a reason to check.
        pass
