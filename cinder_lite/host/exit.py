"""End the process: with its last work done, and without tearing down an interpreter that threads still use."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.host import systemd

LOG = logging.getLogger(__name__)

_LAST: list[Callable[[], object]] = []


def register(function: Callable[[], object]) -> None:
    """Call function() when the process ends by `immediately`: to send buffered data, for example."""
    _LAST.append(function)


def immediately(status: int | str | None) -> NoReturn:
    """End the process at once: waiting threads must not wake up in an interpreter that is being torn down.

    It never returns, whatever fails: a worker would go on as the process that forked it.
    """
    try:
        for function in _LAST:
            try:
                function()
            except Exception:
                LOG.exception("a function registered for the end failed")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status if isinstance(status, int) else status is not None)


def fatal(text: str) -> NoReturn:
    """End the process with one line on standard error, because of the configuration or the host.

    By the exit status EX_CONFIG the service manager does not start it again.
    """
    systemd.notify(status=text)
    sys.stderr.write(f"{text}\n")
    sys.exit(os.EX_CONFIG)


@contextlib.contextmanager
def on_misconfiguration() -> Iterator[None]:
    """End the process by `fatal` when the block raises Misconfigured or an error of oslo.config."""
    try:
        yield
    except (errors.Misconfigured, cfg.Error) as error:
        fatal(f"cannot start: {' '.join(str(error).split())}")
