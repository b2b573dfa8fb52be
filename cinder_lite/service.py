"""How a daemon runs: logging, signals, worker processes, heartbeats, and the end."""

import ctypes
import fcntl
import gc
import logging
import os
import signal
import sys
import threading
import time
import uuid

from oslo_log import log

from cinder_lite import concurrency, masking

LOG = logging.getLogger(__name__)


def set_up_logging(conf, prog):
    """Log as the configuration says, with the request's id in every line and without secrets."""
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), "amqp=WARN", "kombu=WARN", "stevedore=WARN",
                                         "oslo_messaging=WARN", "taskflow=WARN", "taskflow.utils.persistence_utils=ERROR",
                                         "alembic=WARN", "cheroot=WARN"])
    if conf.log_dir and not conf.log_file:
        conf.set_default("log_file", f"{prog}.log")
    if not conf.log_file and not conf.use_stderr and not conf.use_journal and not conf.use_syslog:
        conf.set_default("use_stderr", True)
    log.setup(conf, prog)
    masking.install()


class Daemon:
    """A process of services: starts them, waits for a signal, stops them.

    SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP reads mutable options and logging again.
    A service is anything with start(), stop(timeout) and perhaps reload().
    """

    def __init__(self, conf, services):
        self.conf, self.services = conf, services
        self._signals = []
        self._woken = threading.Event()

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)
        for service in self.services:
            service.start()
        LOG.info("started, process %d", os.getpid())
        while True:
            # A signal handler may not take locks: it leaves the number, and this loop looks.
            while not self._signals:
                time.sleep(0.1)
            if self._signals.pop(0) != signal.SIGHUP:
                break
            self.reload()
        self.stop()

    def _note(self, number, _frame):
        if number != signal.SIGHUP:
            signal.signal(number, lambda *_: os._exit(1))
        self._signals.append(number)

    def reload(self):
        LOG.info("SIGHUP: reading mutable options again")
        self.conf.mutate_config_files()
        for service in self.services:
            if hasattr(service, "reload"):
                service.reload()

    def stop(self):
        LOG.info("ending: finishing or handing back what runs, for at most %d s", self.conf.graceful_timeout)
        with concurrency.deadline(self.conf.graceful_timeout) as left:
            for service in self.services:
                service.stop(left())
        LOG.info("ended")


def run_workers(conf, count, make):
    """Run `count` copies of a daemon in processes of their own, each made by `make()` after the fork; restart the dead."""
    children = {}
    stopping = []

    def start():
        pid = os.fork()
        if pid:
            children[pid] = time.monotonic()
            return
        _end_with_parent()
        status = 1
        try:
            make().run()
            status = 0
        finally:
            logging.shutdown()
            os._exit(status)

    def to_all(number, _frame):
        if number != signal.SIGHUP:
            stopping.append(number)
        for pid in list(children):
            os.kill(pid, number)

    # What is imported by now is shared with the workers; the collector would write to all of it.
    gc.collect()
    gc.freeze()
    for _ in range(count):
        start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, to_all)
    while children:
        pid, status = concurrency.wait_for_child()
        born = children.pop(pid, None)
        if born is not None and not stopping:
            LOG.error("worker %d ended with status %d; starting another", pid, os.waitstatus_to_exitcode(status))
            if time.monotonic() - born < 1:
                time.sleep(1)
            start()


def _end_with_parent():
    """Have the kernel send SIGTERM to this process when its parent is gone, however that ended (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class HostLock:
    """A lock file that says that this process alone works for a service name on this host.

    Whoever holds it knows that every former process of the name is dead, so that its jobs can be taken over at once.
    """

    def __init__(self, state_path, binary, host):
        directory = os.path.join(state_path, "locks")
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, f"{binary}-{host}".replace("/", "_"))
        self.instance = str(uuid.uuid4())
        self._file = None

    def take(self):
        """Wait until it is ours."""
        if self._file is not None:
            return
        self._file = open(self.path, "w")
        told = False
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not told:
                    LOG.warning("%s is held by another process of this service; waiting for it to end", self.path)
                    told = True
                time.sleep(0.2)

    def release(self):
        if self._file is not None:
            self._file.close()
            self._file = None


def fatal(text):
    """End the process because of the configuration or the surroundings, with one clear line."""
    sys.stderr.write(f"{text}\n")
    sys.exit(1)
