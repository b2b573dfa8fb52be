"""Choose green or native threads: patch the standard library for the former, and get its unpatched modules."""

import ctypes
import gc
import importlib
import logging
import os
import sys
import warnings
from typing import Any

from cinder_lite.concurrency import current_thread, postponed

#: {variable of the environment: {its value: the mode}}; the first variable that is set wins. The second is Cinder's.
VARIABLES = {
    "CINDER_LITE_CONCURRENCY": {"threading": "threading", "eventlet": "eventlet"},
    "OS_CINDER_DISABLE_EVENTLET_PATCHING": dict.fromkeys(("1", "true", "yes"), "threading")
    | dict.fromkeys(("0", "false", "no"), "eventlet"),
}
_SET = {variable: value for variable in VARIABLES if (value := os.environ.get(variable, "").lower())}
#: A sentence about an invalid value, or "".
PROBLEM = next((f"{name} is '{value}'; it can be {', '.join(VARIABLES[name])}" for name, value in _SET.items()
                if value not in VARIABLES[name]), "")
CHOSEN_BY = next(iter(_SET), "")
MODE = VARIABLES[CHOSEN_BY].get(_SET[CHOSEN_BY], "threading") if _SET else "threading"
GREEN = MODE == "eventlet"


def patch(collect_garbage: bool = True) -> None:
    """Make the standard library cooperative in eventlet mode, and keep eventlet out of the process otherwise.

    Ends the process if the environment is wrong. Without `collect_garbage` that begins later: it would visit all that
    is imported several times.
    """
    if PROBLEM:
        print(PROBLEM, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    _limit_arenas()
    if not collect_garbage:
        gc.disable()
    if GREEN:
        warnings.filterwarnings("ignore", message=r"(?s).*Eventlet is deprecated")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="eventlet")
        # psycopg's C wait loop would stop every other green thread of the process.
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_select")
        # eventlet's own resolver takes 15 MB and does not follow nsswitch.conf; names are looked up once a connection.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        import eventlet

        eventlet.monkey_patch()
        # Native threads that log at once would wait for each other in a green lock, which only one of them can leave.
        setattr(logging, "_lock", native("threading").RLock())  # noqa: B010 - typeshed does not list it
        current_thread.cache()
    else:
        # Libraries that can use it import it where it is installed: with what it imports, 9 MB and a third of the time
        # to start. None makes that import fail.
        sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]
        postponed.postpone_all()


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
