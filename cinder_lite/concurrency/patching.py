"""Choose green or native threads: patch the standard library for the former, and get its unpatched modules."""

import ctypes
import importlib
import logging
import os
import sys
import warnings
from typing import Any

from cinder_lite.concurrency import current_thread

MODE = os.environ.get("CINDER_LITE_CONCURRENCY", "eventlet")
GREEN = MODE == "eventlet"


def patch() -> None:
    """Make the standard library cooperative when the mode is eventlet; does nothing in threading mode."""
    if MODE not in ("eventlet", "threading"):
        sys.exit(f"CINDER_LITE_CONCURRENCY is '{MODE}'; it can be 'eventlet' or 'threading'")
    _limit_arenas()
    # Libraries import eventlet in either mode.
    warnings.filterwarnings("ignore", message=r"(?s).*Eventlet is deprecated")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="eventlet")
    if GREEN:
        # psycopg's C wait loop would stop every other green thread of the process.
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_select")
        # eventlet's own resolver takes 15 MB and does not follow nsswitch.conf; names are looked up once a connection.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        import eventlet

        eventlet.monkey_patch()
        # Native threads that log at once would wait for each other in a green lock, which only one of them can leave.
        setattr(logging, "_lock", native("threading").RLock())  # noqa: B010 - typeshed does not list it
        current_thread.cache()


def _limit_arenas() -> None:
    """Let all threads allocate from two arenas of the C library instead of from one each (mallopt(3))."""
    m_arena_max = -8
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(m_arena_max, 2)


def native(name: str) -> Any:
    """A module of the standard library without eventlet's patches, for code that runs in native threads only."""
    if not GREEN:
        return importlib.import_module(name)
    from eventlet import patcher

    return patcher.original(name)
