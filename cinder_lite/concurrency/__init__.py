"""Starts green and native threads: the one door to eventlet and to native threads.

Threads are native unless the environment sets `CINDER_LITE_CONCURRENCY=eventlet`. `patch()` is the first call of an
entry point, before anything else is imported.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from cinder_lite.concurrency import thread_calls
from cinder_lite.concurrency.patching import GREEN, native
from cinder_lite.concurrency.patching import patch as patch

T = TypeVar("T")


def spawn(function: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
    """Start a green or native daemon thread and return it; `kill` ends a green one early."""
    if GREEN:
        import eventlet

        return eventlet.spawn(function, *args, **kwargs)
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


_calls: Any = thread_calls.ThreadCalls(native, spawn)


def install(calls: Any) -> None:
    """Run calls of `in_thread` by the method `call` of another object, such as a simulation."""
    global _calls
    _calls = calls


def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a call that blocks (device input and output, C libraries) without stopping the other work of the process.

    Returns the function's result and raises its errors.
    """
    if not GREEN or threading.get_native_id() != os.getpid():  # in a native thread already: only the first one is green
        return function(*args, **kwargs)
    return _calls.call(function, args, kwargs)


def log_level() -> int:
    """The level at which work on devices is logged: INFO within a request, DEBUG for maintenance."""
    from oslo_context import context

    return logging.DEBUG if context.get_current() is None else logging.INFO
