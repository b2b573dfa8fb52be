"""Run the services of one process: start, signals, notifications to the service manager, and the end."""

import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from oslo_config import cfg

from cinder_lite import conf
from cinder_lite.concurrency import clock
from cinder_lite.conf import unread
from cinder_lite.host import exit, memory, systemd
from cinder_lite.observe import log_setup
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.supervisor import SIGNALS

LOG = logging.getLogger(__name__)

#: Seconds between returns of free memory to the system.
RELEASE_INTERVAL = 30


class Service(Protocol):
    """A service may also have reload(), and `ready` if it is not ready after start()."""

    def start(self) -> None:
        """Start; returns when the service works or has arranged to."""

    def stop(self, timeout: float) -> None:
        """Stop within `timeout` seconds."""

    def status(self) -> str:
        """A short description of the state for the service manager."""


class Daemon:
    """A process of services: starts them, waits for a signal, stops them.

    SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP reads mutable options and logging again. The
    service manager is notified of all this, and that this loop runs.
    """

    def __init__(self, conf: cfg.ConfigOpts, services: Sequence[Service]):
        self.conf, self.services = conf, services
        self._signals: list[int] = []
        self._woken, self._wake = socket.socketpair()
        self._started, self._ready = False, False

    def run(self) -> None:
        """Returns after the services have been stopped by a signal."""
        for number in SIGNALS:
            signal.signal(number, self._record)
        for service in self.services:
            service.start()
        self._started = True
        LOG.info("started, process %d", os.getpid())
        release_at = 0.0
        while True:
            # A signal handler must not take locks: it records the number, and this loop acts on it.
            while not self._signals:
                self._notify()
                if clock.monotonic() >= release_at:
                    memory.release()
                    release_at = clock.monotonic() + RELEASE_INTERVAL
                self._woken.settimeout(systemd.interval())
                with contextlib.suppress(TimeoutError):
                    self._woken.recv(64)
            if self._signals.pop(0) != signal.SIGHUP:
                break
            self.reload()
        self.stop()

    def _notify(self):
        facts = {"watchdog": 1, "status": "; ".join(service.status() for service in self.services)}
        if not self._ready and all(getattr(service, "ready", True) for service in self.services):
            facts["ready"] = 1
        self._ready = systemd.notify(**facts) and "ready" in facts or self._ready

    def _record(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            if not self._started:
                # It may be waiting for the database. The next process resumes what was begun, as after a kill.
                os._exit(0)
            signal.signal(number, lambda *_: os._exit(1))
        self._signals.append(number)
        self._wake.send(b"+")

    def reload(self) -> None:
        """Read mutable options and the services' files again; invalid ones are logged and change nothing."""
        LOG.info("SIGHUP: reading mutable options again")
        systemd.notify(reloading=1)
        try:
            self.conf.mutate_config_files()
        except (cfg.Error, SystemExit) as error:
            # oslo.config ends the process for a value of an option that the command line has too, like debug.
            reason = error.__context__ if isinstance(error, SystemExit) else error
            LOG.error("the changed configuration is invalid, the former one stays in force: %s", reason)
        for service in self.services:
            if hasattr(service, "reload"):
                service.reload()
        systemd.notify(ready=1)

    def stop(self) -> None:
        """Stop the services, within graceful_timeout for all together."""
        limit = self.conf.graceful_timeout
        text = f"ending: finishing or handing back running work, for at most {limit} s"
        LOG.info(text)
        systemd.notify(stopping=1, status=text, extend_timeout_usec=(limit + 15) * 1000000)
        with clock.deadline(limit) as left:
            for service in self.services:
                try:
                    service.stop(left())
                except Exception:
                    # The others stop in order all the same; what this one holds is resumed as after a kill.
                    LOG.exception("%s failed to stop in order", type(service).__name__)
        LOG.info("ended")


def build(conf: cfg.ConfigOpts, metrics_sock: socket.socket | None, service: Callable[[process.Process], Service],
          database_totals: bool = False) -> Daemon:
    """The daemon of one service, once the database has the schema of this release. Serves the process's metrics."""
    shared = process.Process(conf, INTERFACES)
    shared.wait_for_schema()
    shared.serve_metrics(metrics_sock, database_totals)
    return Daemon(conf, [service(shared)])


def entry_point(prog: str) -> Callable[[Callable[[cfg.ConfigOpts], object]], Callable[[], None]]:
    """Decorates a daemon's main function, which gets the configuration after logging has been set up.

    An invalid configuration, there or in main, ends the process with one line and EX_CONFIG.
    """
    def decorate(main: Callable[[cfg.ConfigOpts], object]) -> Callable[[], None]:
        @functools.wraps(main)
        def run() -> None:
            status: int | str | None = 0
            memory.end_imports()
            try:
                with exit.on_misconfiguration():
                    configuration = conf.load(prog=prog)
                    log_setup.set_up(configuration, prog)
                    unread.log_unread(configuration)
                    main(configuration)
            except SystemExit as ending:
                status = ending.code
            exit.immediately(status)
        return run
    return decorate
