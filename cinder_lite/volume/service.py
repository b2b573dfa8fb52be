"""The volume service: one process, any number of backends, each by itself."""

import logging
import time

from cinder_lite import concurrency, db
from cinder_lite.conf import unread
from cinder_lite.db import jobs, pools, volumes
from cinder_lite.host import network
from cinder_lite.jobs import worker
from cinder_lite.service import daemon, process
from cinder_lite.volume import backends
from cinder_lite.volume.exports import Exports
from cinder_lite.volume.jobs import lost_snapshots
from cinder_lite.volume.jobs.groups import Grouping
from cinder_lite.volume.jobs.images import ImageJobs
from cinder_lite.volume.jobs.manage import Adoption
from cinder_lite.volume.jobs.migration import Moves
from cinder_lite.volume.jobs.volumes import VolumeManager
from cinder_lite.volume.rpcapi import VolumeRPC

LOG = logging.getLogger(__name__)

BINARY = "cinder-volume"
#: Seconds between attempts to start a backend.
RETRY = 2
#: Seconds of silence after which the host's network has settled, and for which that is waited for at most.
SILENCE, PATIENCE = 0.3, 2


class BackendService:
    """One backend: its heartbeat, its jobs and its place on the broker."""

    def __init__(self, shared, section):
        self.process, self.conf = shared, shared.conf
        self.backend = backends.Backend(self.conf, section)
        self._written = None  # the uuid that all volumes here have
        self.lock = daemon.HostLock(self.conf.state_path, BINARY, self.backend.name)
        self.heartbeat = process.Heartbeat(shared, BINARY, self.backend.name, self.backend.zone, self.lock.instance,
                                           self._facts, self._recorded)
        moves = Moves(shared.db, self.conf, self.backend, shared.volume)
        adoption = Adoption(shared.db, self.conf, self.backend)
        grouping = Grouping(shared.db, self.conf, self.backend)
        self.images = ImageJobs(shared.db, self.conf, self.backend, shared.volume)
        self.manager = VolumeManager(shared.db, self.conf, self.backend, self.heartbeat.owner, shared.backup, self.images,
                                     Exports(shared.db, self.conf, self.backend),
                                     moves.handlers | adoption.handlers | grouping.handlers | self.images.handlers)
        self.manager.worker.events = shared.events
        shared.counted(self.manager.worker, self.backend.driver, self.backend.target)
        self._measures = concurrency.Periodic(self.conf.backend_stats_polling_interval, self.measure, self._unmeasured)
        self._sweeps = concurrency.Periodic(self.conf.job_sweep_interval, self.manager.exports.sweep, self._unswept)
        self._server, self.started, self.tried, self.admits = None, False, False, False

    def _facts(self):
        return {"backend_up": self.backend.up, "backend_reason": self.backend.reason,
                "rpc_version": VolumeRPC.version}

    def _recorded(self, row):
        """Have the volumes here belong to the service's row: at start, and when it was made anew."""
        self.backend.ownership = volumes.ownership(row.uuid)
        if row.uuid != self._written:
            with self.process.db.write() as tx:
                volumes.belong(tx, self.backend.name, row.uuid)
            self._written = row.uuid

    def start(self):
        """May be called again after it has raised."""
        self.lock.take()
        # Known before it is looked at, which may take long: what only this backend can take waits for it.
        self.heartbeat.start()
        self.backend.check()
        self.heartbeat.beat()
        jobs.take_over(self.process.db, "volume", [self.backend.name], self.heartbeat.owner)
        self._tidy()
        self.measure()
        self._measures.start()
        self._sweeps.start()
        self._server = self.process.server(VolumeRPC, self.manager, self.backend.name)
        self._server.start()
        self.manager.worker.start()
        self.started = True

    def admit(self):
        """Let hosts in, or report the backend down with the reason why they cannot be."""
        self.admits, target = True, self.backend.target
        if self.backend.up and target is not None and not target.admitting:
            target.admitting = True
            self.backend.check()

    @property
    def wrong(self):
        """Why it does not work, or None."""
        return None if self.started and self.backend.up else self.backend.reason or "it is being started"

    def _tidy(self):
        """What a former process left half made is removed, what it exported is exported again."""
        if self.backend.up:
            self.backend.call(self.backend.driver.clean_up)
            self.images.clean_up()
            self.manager.exports.restore()

    def measure(self):
        """Look whether the backend works and what it holds, and tell the scheduler by the pools' rows."""
        was_up, were_at = self.backend.up, self.backend.addresses
        since = db.now()
        self.backend.check()
        found = self.backend.measure() if self.backend.up else []
        with self.process.db.write() as tx:
            for name, values in found:
                pools.measured(tx, name, self.backend.name, since, values)
            if found:
                pools.forget_others(tx, self.backend.name, [name for name, _ in found])
        if self.backend.up != was_up:
            self.heartbeat.beat()
            if self.backend.up:
                self._tidy()
                if self.admits:
                    self.admit()
        elif self.backend.addresses != were_at:
            self.manager.exports.restore()
        if self.backend.up:
            lost_snapshots.record(self.process.db, self.conf, self.backend)
            self.backend.call(self.backend.driver.tend)

    def look(self):
        """Measure at once when the addresses on which volumes are exported have come or gone."""
        if self.started and self.backend.has_moved():
            self._measures.kick()

    def _unmeasured(self, error):
        LOG.warning("measuring %s failed, will be tried again: %s", self.backend.name, error)

    @staticmethod
    def _unswept(error):
        LOG.warning("looking after connections failed, will be tried again: %s", error)

    def stop(self, timeout):
        if self._server is not None:
            self._server.stop()
        self._measures.stop()
        self._sweeps.stop()
        self.manager.worker.stop(timeout)
        self.heartbeat.stop()
        self.lock.release()


class VolumeService:
    """All enabled backends. They start side by side, so that one that is slow to come up holds up no other."""

    def __init__(self, shared):
        self.backends = [BackendService(shared, section) for section in backends.enabled(shared.conf)]
        self._stopping, self.ready = False, False
        unread.tell(shared.conf, shared.conf.enabled_backends)

    def start(self):
        for backend in self.backends:
            concurrency.spawn(self._start, backend)
        if any(backend.backend.target is not None for backend in self.backends):
            concurrency.spawn(self._watch)

    def _watch(self):
        """Have backends look at their addresses when something of the host's network has changed, and has settled."""
        with network.changes() as told:
            while not self._stopping:
                _settled(told)
                for backend in self.backends:
                    with worker.quiet(f"looking at the addresses of {backend.backend.name}"):
                        backend.look()

    def _start(self, backend):
        while not self._stopping:
            try:
                backend.start()
                return
            except Exception:
                # The outermost loop of a backend: what is in its way may pass.
                LOG.exception("backend %s could not be started, will be tried again", backend.backend.name)
            finally:
                backend.tried = True
                self._admit()
            time.sleep(RETRY)

    def _admit(self):
        """Be ready, and let hosts in, when each backend exports again what it did, or has said why it does not.

        Not each by itself: hosts take a volume that is not there for one that is gone, and may share the way to it.
        """
        if all(backend.tried for backend in self.backends):
            for backend in self.backends:
                with worker.quiet(f"letting hosts in to {backend.backend.name}"):
                    backend.admit()
            self.ready = True

    def status(self):
        wrong = {backend.backend.section: backend.wrong for backend in self.backends if backend.wrong}
        jobs = sum(backend.manager.worker.pool.running for backend in self.backends)
        text = f"volume: {len(self.backends) - len(wrong)} of {len(self.backends)} backends up, {jobs} jobs running"
        return ", ".join([text, *(f"{section} is down: {reason}" for section, reason in wrong.items())])

    def stop(self, timeout):
        self._stopping = True
        with concurrency.deadline(timeout) as left:
            for backend in self.backends:
                backend.stop(left())


def _settled(told):
    """Wait until something is told, and then nothing for a while."""
    try:
        told.settimeout(None)
        told.recv(65536)
        told.settimeout(SILENCE)
        with concurrency.deadline(PATIENCE) as left:
            while left():
                told.recv(65536)
    except OSError:
        # Silence; or more was told than the kernel keeps, which is one more reason to look.
        pass
