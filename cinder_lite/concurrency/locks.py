"""Locks, conditions and events of the process's threads, green or native ones."""

import threading
import weakref
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


class Named:
    """A lock for each name; those that nobody holds or waits for take no memory."""

    def __init__(self) -> None:
        self._guard, self._locks = lock(), weakref.WeakValueDictionary[str, threading.Lock]()

    def __getitem__(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, lock())
