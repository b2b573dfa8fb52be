"""Builds the API once in each process of a WSGI server, at the first request that the process gets."""

import atexit
import logging
import os
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg

from cinder_lite import conf, db, errors
from cinder_lite.api import fault
from cinder_lite.api.app import Application
from cinder_lite.api.auth import strategy
from cinder_lite.concurrency import locks, patching
from cinder_lite.conf import unread
from cinder_lite.db import migrate
from cinder_lite.observe import health, log_setup
from cinder_lite.service import process
from cinder_lite.service.api import domains
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.wsgi import body

LOG = logging.getLogger(__name__)

PROG = "cinder-lite-api"
#: Configuration files, separated by os.pathsep; without it /etc/cinder/cinder.conf.
CONFIG_FILES = "CINDER_LITE_CONFIG_FILES"


class Hosted:
    """The application that a WSGI server calls. It may be imported before the server forks.

    `build()` returns the application of this process and a function that is called when the process ends.
    """

    def __init__(self, build: Callable[[], tuple[WSGIApplication, Callable[[], None]]]) -> None:
        self._build, self._lock = build, locks.lock()
        self._application: WSGIApplication | None = None
        self._pid: int | None = None
        # Collecting an application that was built before the fork would end the parent's connections to the database.
        self._inherited: list[WSGIApplication | None] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            application = self._here()
        except (errors.Misconfigured, cfg.Error) as error:
            LOG.error("the API cannot work with this configuration: %s", " ".join(str(error).split()))
            return _refuse(start_response, 503, "The API is not configured correctly; its log has the reason.")
        except db.Unreachable as error:
            LOG.warning("the API waits for the database: %s", error)
            return _refuse(start_response, 503, "The database cannot be reached at the moment; try again later.")
        return application(environ, start_response)

    def _here(self) -> WSGIApplication:
        """The application of this process."""
        if self._application is not None and self._pid == os.getpid():
            return self._application
        with self._lock:
            if self._application is None or self._pid != os.getpid():
                self._inherited.append(self._application)
                self._application = None
                application, close = self._build()
                self._application, self._pid = application, os.getpid()
                atexit.register(self._end, os.getpid(), close)
            return self._application

    @staticmethod
    def _end(pid: int, close: Callable[[], None]) -> None:
        """Registered functions are inherited by a fork, and what they would close is the parent's."""
        if pid == os.getpid():
            close()


def configuration() -> cfg.ConfigOpts:
    """The configuration that the environment names. Raises Misconfigured if the API cannot be hosted with it."""
    files = [file for file in os.environ.get(CONFIG_FILES, "").split(os.pathsep) if file]
    found = conf.load(argv=[], files=files or None, prog=PROG)
    if patching.PROBLEM or patching.GREEN:
        raise errors.Misconfigured(patching.PROBLEM or f"{patching.CHOSEN_BY} chooses eventlet: not for WSGI servers")
    strategy.check_configuration(found)
    if found.auth_strategy == "noauth" and not found.allow_noauth_anywhere:
        raise errors.Misconfigured("auth_strategy is noauth, which accepts every token, and the address on which the "
                                   "WSGI server listens is not known here: choose another strategy, or set "
                                   "allow_noauth_anywhere = true")
    # Metrics of several processes need a parent that prepares their files, and a port.
    found.set_override("enabled", False, group="metrics")
    return found


def build() -> tuple[WSGIApplication, Callable[[], None]]:
    """The API with its database and broker, and what ends them. Connections and threads are those of this process."""
    settings = configuration()
    log_setup.set_up(settings, PROG)
    unread.log_unread(settings)
    shared = process.Process(settings, INTERFACES)
    migrate.expect_current(shared.db)
    application = Application(settings, shared.db, domains(shared), lambda: health.examine(shared))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            body.buffer(environ, settings.osapi_max_request_body_size)
        except errors.Error as error:
            return _refuse(start_response, error.status, str(error))
        return application(environ, start_response)

    def close() -> None:
        shared.sender.stop()
        if shared.events is not None:
            shared.events.stop()
        shared.close()

    LOG.info("the API is ready in process %d", os.getpid())
    return answer, close


def _refuse(start_response: StartResponse, status: int, sentence: str) -> list[bytes]:
    line, headers, out = fault.rejection(status, sentence)
    start_response(line, [*headers, ("Content-Length", str(len(out)))])
    return [out]
