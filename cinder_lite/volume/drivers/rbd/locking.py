"""Locks by name: of threads, and of processes on several hosts by locks of RADOS.

A lock of RADOS expires when its owner does not renew it. A fixed number of objects have the locks, so that none has to
be removed. Entries of the trash, which are locked while images are, have other objects than images.
"""

import contextlib
import threading
import typing
import uuid
import zlib
from collections.abc import Iterator

import rados

#: Objects for the locks of one kind of names.
OBJECTS = 64
#: Seconds for which a lock is kept without renewal; between two renewals; between two attempts to get one.
DURATION, RENEWAL, PAUSE = 30, 10, 0.1
#: The flags of cls_lock for a lock that its owner may have, and must have: it may be released meanwhile.
MAY_RENEW, MUST_RENEW = 1, 2
LOCK = "cinder_lite"


class Locks:
    """Locks between the threads of this process."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def __call__(self, *names: str) -> Iterator[None]:
        """Hold the locks of all the names at once; "" has no lock."""
        wanted = set(names) - {""}
        with self._changed:
            self._changed.wait_for(lambda: self._held.isdisjoint(wanted))
            self._held.update(wanted)
        try:
            yield
        finally:
            with self._changed:
                self._held.difference_update(wanted)
                self._changed.notify_all()


class SharedLocks(Locks):
    """Locks between all processes that use the pool, and their threads."""

    def __init__(self, ioctx: typing.Any, owner: str) -> None:
        super().__init__()
        self._ioctx, self._owner, self._cookie = ioctx, owner, str(uuid.uuid4())
        self._locked: set[str] = set()
        threading.Thread(target=self._renew, daemon=True).start()

    @contextlib.contextmanager
    def __call__(self, *names: str) -> Iterator[None]:
        """Hold the locks of all the names at once; "" has no lock."""
        # In one order, so that two processes do not wait for each other. Those of the trash are locked last.
        objects = sorted({_object(name) for name in names if name})
        with super().__call__(*names, *objects), contextlib.ExitStack() as held:
            for one in objects:
                self._acquire(one)
                held.callback(self._release, one)
            yield

    def _acquire(self, name):
        while True:
            try:
                self._lock(name, MAY_RENEW)
            except rados.ObjectBusy:
                threading.Event().wait(PAUSE)
            else:
                self._locked.add(name)
                return

    def _lock(self, name, flags):
        self._ioctx.lock_exclusive(name, LOCK, self._cookie, self._owner, DURATION, flags)

    def _release(self, name):
        self._locked.discard(name)
        # Otherwise it expires.
        with contextlib.suppress(rados.Error):
            self._ioctx.unlock(name, LOCK, self._cookie)

    def _renew(self):
        while True:
            threading.Event().wait(RENEWAL)
            for name in tuple(self._locked):
                with contextlib.suppress(rados.Error):
                    self._lock(name, MUST_RENEW)


def _object(name):
    kind = "2.trash" if name.startswith("trash/") else "1.image"
    return f"cinder_lite_lock.{kind}.{zlib.crc32(name.encode()) % OBJECTS}"
