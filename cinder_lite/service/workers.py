"""Fork copies of a daemon, which share the memory of what has been imported, and supervise them."""

import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

from cinder_lite.host import exit, memory, systemd
from cinder_lite.service import supervisor
from cinder_lite.service.daemon import Daemon

LOG = logging.getLogger(__name__)


def run(prog: str, count: int, build: Callable[[], Daemon], sockets: dict[str, socket.socket]) -> NoReturn:
    """Fork `count` processes that run build(), and become the supervisor of them."""
    # Modules imported by now are shared with the workers; the collector would write to their pages.
    memory.end_imports()
    reports = systemd.Reports()
    # Signals are held back until each process has its own handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, supervisor.SIGNALS)
    supervisor.become(prog, [_fork(build, reports) for _ in range(count)], reports, sockets)


def _fork(build, reports):
    own = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status: int | str | None = 1
    try:
        supervisor.begin_worker(own)
        reports.join()
        with exit.on_misconfiguration():
            build().run()
        status = 0
    except SystemExit as ending:
        status = ending.code
    except Exception:  # The outermost of a process: the traceback belongs in the log.
        LOG.exception("this worker ends")
    finally:
        exit.immediately(status)
