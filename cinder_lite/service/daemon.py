"""How a daemon runs: logging, signals, signs of life, worker processes, and the end."""

import contextlib
import ctypes
import fcntl
import gc
import logging
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable

from oslo_config import cfg
from oslo_log import log

from cinder_lite import concurrency, errors
from cinder_lite.host import systemd
from cinder_lite.observe import log_masking

LOG = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def set_up_logging(conf, prog):
    """Log as the configuration says, with the request's id in every line and without secrets."""
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), "amqp=WARN", "kombu=WARN", "stevedore=WARN",
                                         "oslo_messaging=WARN", "taskflow=WARN", "taskflow.utils.persistence_utils=ERROR",
                                         "alembic=WARN", "waitress=WARN", "waitress.queue=ERROR"])
    if conf.log_dir and not conf.log_file:
        conf.set_default("log_file", f"{prog}.log")
    if not conf.log_file and not conf.use_stderr and not conf.use_journal and not conf.use_syslog:
        conf.set_default("use_stderr", True)
    expect_log(conf, prog)
    try:
        log.setup(conf, prog)
    except (OSError, log.LogConfigError) as error:
        raise errors.Misconfigured(f"the log cannot be written: {error}") from error
    log_masking.install()


def expect_log(conf, prog):
    """Raise Misconfigured when the log of that daemon could not be written. Leaves nothing there."""
    wanted = conf.log_config_append or os.path.join(conf.log_dir or "", conf.log_file or f"{prog}.log")
    try:
        if conf.log_config_append:
            open(wanted).close()
        elif conf.log_file or conf.log_dir:
            if os.path.exists(wanted):
                open(wanted, "a").close()
            else:
                tempfile.TemporaryFile(dir=os.path.dirname(wanted) or ".").close()
    except OSError as error:
        raise errors.Misconfigured(f"the log cannot be written: {error}") from error


class Daemon:
    """A process of services: starts them, waits for a signal, stops them.

    SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP reads mutable options and logging again.
    A service is anything with start(), stop(timeout) and status(), a few words on how it does, and perhaps reload(), and
    `ready`, when it is not so after start(). The service manager hears of all this, and of this loop's being alive.
    """

    def __init__(self, conf, services):
        self.conf, self.services = conf, services
        self._signals = []
        self._started, self._ready, self._told = False, False, 0.0

    def run(self):
        for number in SIGNALS:
            signal.signal(number, self._note)
        for service in self.services:
            service.start()
        self._started = True
        LOG.info("started, process %d", os.getpid())
        while True:
            # A signal handler may not take locks: it leaves the number, and this loop looks.
            while not self._signals:
                self._tell()
                time.sleep(0.1)
            if self._signals.pop(0) != signal.SIGHUP:
                break
            self.reload()
        self.stop()

    def _tell(self):
        now = time.monotonic()
        if now - self._told < systemd.interval():
            return
        self._told = now
        facts = {"watchdog": 1, "status": "; ".join(service.status() for service in self.services)}
        if not self._ready and all(getattr(service, "ready", True) for service in self.services):
            facts["ready"] = 1
        self._ready = systemd.tell(**facts) and "ready" in facts or self._ready

    def _note(self, number, _frame):
        if number != signal.SIGHUP:
            if not self._started:
                # It may be waiting for the database. What was begun is taken up by the next process, as after a kill.
                os._exit(0)
            signal.signal(number, lambda *_: os._exit(1))
        self._signals.append(number)

    def reload(self):
        LOG.info("SIGHUP: reading mutable options again")
        systemd.tell(reloading=1)
        try:
            self.conf.mutate_config_files()
        except cfg.Error as error:
            LOG.error("the settings were changed to what cannot work, so that the former ones hold: %s", error)
        for service in self.services:
            if hasattr(service, "reload"):
                service.reload()
        systemd.tell(ready=1)

    def stop(self):
        limit = self.conf.graceful_timeout
        text = f"ending: finishing or handing back what runs, for at most {limit} s"
        LOG.info(text)
        systemd.tell(stopping=1, status=text, extend_timeout_usec=(limit + 15) * 1000000)
        with concurrency.deadline(limit) as left:
            for service in self.services:
                service.stop(left())
        LOG.info("ended")


class Worker:
    """A worker process as the one that started it knows it."""

    def __init__(self):
        self.born = self.heard = time.monotonic()
        self.ready, self.status = False, ""


class Workers:
    """Runs `count` copies of a daemon in processes of their own, each made by `make()` after the fork.

    The dead are replaced, and so are those that hang: the service manager watches this process alone.
    """

    def __init__(self, count, make):
        self.count, self.make = count, make
        self.children, self._stopping, self._ready, self._status = {}, False, False, 0
        self._reports = systemd.Reports()

    def run(self):
        # What is imported by now is shared with the workers; the collector would write to all of it.
        gc.collect()
        gc.freeze()
        for number in SIGNALS:
            signal.signal(number, self._to_all)
        for _ in range(self.count):
            self._start()
        told = 0.0
        while self.children:
            self._hear(0.1)
            self._replace_the_dead()
            if time.monotonic() - told >= systemd.interval() and not self._stopping:
                told = time.monotonic()
                self._kill_the_hung()
                self._tell()
        sys.exit(self._status)

    def _start(self):
        # Until the worker is known here, and handles signals itself there, they wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid:
            self.children[pid] = Worker()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        _end_with_parent()
        status = 1
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._reports.join()
            with settings_that_work():
                self.make().run()
            status = 0
        except SystemExit as ending:
            status = ending.code
        except Exception:  # The outermost of a process: what it would print is to be in the log.
            LOG.exception("this worker ends")
        finally:
            leave(status)

    def _to_all(self, number, _frame):
        self._stopping |= number != signal.SIGHUP
        for pid in list(self.children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _hear(self, seconds):
        """Take what workers say; waits so long for the first of it."""
        while message := self._reports.next(seconds):
            seconds, (pid, facts) = 0, message
            worker = self.children.get(pid)
            if worker is not None:
                worker.heard = time.monotonic()
                worker.ready |= "READY" in facts
                worker.status = facts.get("STATUS", worker.status)
                if "EXTEND_TIMEOUT_USEC" in facts:
                    systemd.tell(stopping=1, extend_timeout_usec=facts["EXTEND_TIMEOUT_USEC"])

    def _replace_the_dead(self):
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._hear(0)
            worker, status = self.children.pop(pid, None), os.waitstatus_to_exitcode(status)
            if worker is None or self._stopping:
                continue
            if status == os.EX_CONFIG:
                self._status = status
                systemd.tell(status=worker.status)
                self._to_all(signal.SIGTERM, None)
            else:
                LOG.error("worker %d ended with status %d; starting another", pid, status)
                if time.monotonic() - worker.born < 1:
                    time.sleep(1)
                self._start()

    def _kill_the_hung(self):
        limit = systemd.patience()
        for pid, worker in self.children.items():
            if limit and worker.ready and time.monotonic() - worker.heard > limit:
                LOG.error("worker %d has given no sign of life for %d s; it is killed", pid, limit)
                os.kill(pid, signal.SIGKILL)

    def _tell(self):
        ready = [worker for worker in self.children.values() if worker.ready]
        status = next((worker.status for worker in self.children.values() if worker.status), "starting")
        facts = {"watchdog": 1, "status": f"{len(ready)} of {self.count} workers ready; one of them: {status}"}
        if len(ready) == self.count and not self._ready:
            facts["ready"] = 1
        self._ready = systemd.tell(**facts) and "ready" in facts or self._ready


def _end_with_parent():
    """Have the kernel send SIGTERM to this process when its parent is gone, however that ended (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class HostLock:
    """A lock file that says that this process alone works for a service name on this host.

    Whoever holds it knows that every former process of the name is dead, so that its jobs can be taken over at once.
    """

    def __init__(self, state_path, binary, host):
        self.path = os.path.join(expect_locks(state_path), f"{binary}-{host}".replace("/", "_"))
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
                    systemd.tell(status=f"waiting for another process of this service to end, which holds {self.path}")
                    told = True
                time.sleep(0.2)

    def release(self):
        if self._file is not None:
            self._file.close()
            self._file = None


def expect_locks(state_path):
    """The directory of lock files; Misconfigured when none can be made there."""
    directory = os.path.join(state_path, "locks")
    try:
        os.makedirs(directory, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise errors.Misconfigured(f"state_path {state_path} cannot be used: {error}") from error
    return directory


@contextlib.contextmanager
def settings_that_work():
    """Where settings are read: one that cannot be ends the process."""
    try:
        yield
    except (errors.Misconfigured, cfg.Error) as error:
        fatal(f"the settings cannot work: {' '.join(str(error).split())}")


_LAST: list[Callable[[], object]] = []


def at_the_end(function):
    """Call function() when the process ends well, or by its settings: it sends what has not been sent."""
    _LAST.append(function)


def leave(status):
    """End the process at once: threads that wait must not wake up in an interpreter that is taken apart.

    It never returns, whatever fails: a worker would go on as the process that it was made by.
    """
    try:
        for function in _LAST:
            try:
                function()
            except Exception:
                LOG.exception("what was left to do at the end failed")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def fatal(text):
    """End the process because of the configuration or the surroundings, with one clear line.

    By the status the service manager knows that starting it again would not help.
    """
    systemd.tell(status=text)
    sys.stderr.write(f"{text}\n")
    sys.exit(os.EX_CONFIG)
