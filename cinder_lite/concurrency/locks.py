"""Locks, conditions and events of the process's threads, green or native ones."""

import threading
from typing import Any

_kind: Any = threading


def install(kind: Any) -> None:
    """Use other classes than those of the module `threading` from now on, such as simulated ones."""
    global _kind
    _kind = kind


def lock() -> threading.Lock:
    return _kind.Lock()


def rlock() -> threading.RLock:
    return _kind.RLock()


def condition() -> threading.Condition:
    return _kind.Condition()


def event() -> threading.Event:
    return _kind.Event()


def semaphore(places: int) -> threading.Semaphore:
    return _kind.Semaphore(places)


def local() -> threading.local:
    """An object whose attributes each thread has for itself."""
    return _kind.local()
