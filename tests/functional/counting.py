"""Counts the SQL statements and transactions of operations, by the service that runs them."""

import collections
import contextlib
import os
import sqlite3
import sys
import threading

import pytest
import sqlalchemy as sa

import cinder_lite
from cinder_lite import concurrency, states
from cinder_lite.jobs import recorder
from tests.functional.service import Service, until

OURS = os.path.dirname(cinder_lite.__file__) + os.sep
#: Package in which the outermost function of a process's work is -> the process. "worker" is the volume and the backup
#: service.
PROCESSES = {"api": "api", "scheduler": "scheduler", "volume": "worker", "backup": "worker", "jobs": "worker"}
#: Heartbeats and sweeps are far apart: what is counted is the operation's own.
QUIET = ("report_interval = 3600\njob_lease = 36000\njob_sweep_interval = 3600\nbackend_stats_polling_interval = 3600\n"
         "service_down_time = 7200\nquota_volumes = -1\nquota_gigabytes = -1\nquota_snapshots = -1")
TARGET = """
[gated]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = tests.functional.gated.GatedTarget
"""


def _process():
    """The process for which the calling thread works."""
    frame, found = sys._getframe(2), None
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OURS):
            found = PROCESSES.get(name[len(OURS):].split(os.sep)[0], found)
        frame = frame.f_back
    return found


class Work:
    """Counts while it is asked to: statements, transactions, and our files in which a function runs.

    `by_process` is {process: [statements, transactions]}.
    """

    def __init__(self):
        self.counting, self.files = False, set()
        self._reset()

    def _reset(self):
        self.statements, self.transactions, self.log = [], 0, []
        self.by_process = collections.defaultdict(lambda: [0, 0])

    def statement(self, _connection, _cursor, text, _parameters, _context, _many):
        if not self.counting or text.startswith(("COMMIT", "ROLLBACK", "PRAGMA")):
            return
        begins, process = text.startswith("BEGIN"), _process()
        self.log.append((process, text))
        if begins:
            self.transactions += 1
            self.by_process[process][1] += 1
        if not begins:
            self.by_process[process][0] += 1
            self.statements.append(text)

    def call(self, frame, event, _argument):
        if self.counting and event == "call" and frame.f_code.co_filename.startswith(OURS):
            self.files.add(frame.f_code.co_filename[len(OURS):])

    def watch(self, service):
        for engine in service.process.db.engines:
            sa.event.listen(engine, "before_cursor_execute", self.statement)

    def of_processes(self):
        """((statements of the API, of the scheduler, of the worker), (transactions of each))."""
        counts = [self.by_process.get(process, (0, 0)) for process in ("api", "scheduler", "worker")]
        return tuple(zip(*counts, strict=True))

    def report(self):
        """The statements, each after its process."""
        return "\n".join(f"{process}: {' '.join(text.split())}" for process, text in self.log)

    @contextlib.contextmanager
    def profiled(self):
        """Record the files of every thread that starts meanwhile, native ones too, and greenlets of this one."""
        kinds = {threading, concurrency.native("threading")}
        for kind in kinds:
            kind.setprofile(self.call)
        sys.setprofile(self.call)
        try:
            yield
        finally:
            sys.setprofile(None)
            for kind in kinds:
                kind.setprofile(None)

    @contextlib.contextmanager
    def counted(self):
        self._reset()
        self.files, self.counting = set(), True
        yield self
        self.counting = False


@contextlib.contextmanager
def running(work, backends=("null-1",), default=QUIET):
    """A service whose statements are counted; the backend `gated` has files, and a target without a server."""
    # The progress of jobs is recorded every second: what is counted would depend on the moment.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "INTERVAL", 3600)
        with Service(backends=backends, sections={"gated": TARGET}, target=False, default=default) as service:
            work.watch(service)
            yield service


def ended(service, resource_id):
    """Wait until the jobs of the resource have ended, reading the database directly so that this is not counted."""
    with contextlib.closing(sqlite3.connect(f"file:{service.state}/cinder.sqlite?mode=ro", uri=True)) as database:
        until(lambda: not database.execute(
            f"SELECT 1 FROM jobs WHERE resource_id = ? AND status IN ({', '.join('?' * len(states.LIVE_JOB))})",
            (resource_id, *states.LIVE_JOB)).fetchone(), f"the jobs of {resource_id} to end")
