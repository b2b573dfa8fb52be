"""Measures for how long calls of a part, such as a backend, have had no answer, and gives up waiting for one."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cinder_lite.concurrency import clock, locks
from cinder_lite.concurrency.pool import Pool

Result = TypeVar("Result")


class Awaited:
    """The calls under way. `oldest` is for how many seconds the first of them has had no answer, 0 without any."""

    def __init__(self) -> None:
        self._lock = locks.lock()
        self._begun: dict[object, float] = {}

    @contextlib.contextmanager
    def answer(self) -> Iterator[None]:
        """Count the block as one call."""
        call = object()
        with self._lock:
            self._begun[call] = clock.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[call]

    @property
    def oldest(self) -> float:
        with self._lock:
            return clock.monotonic() - min(self._begun.values()) if self._begun else 0.0

    def hanging(self, limit: float) -> str | None:
        """A sentence if a call has had no answer for `limit` seconds, or None."""
        seconds = self.oldest
        return f"it has not answered for {seconds:.0f} s" if seconds >= limit else None


class Late(Exception):
    """A call has not ended in time."""


def within(pool: Pool, seconds: float, function: Callable[[], Result]) -> Result:
    """The result of a call in a thread of the pool, which goes on alone when it takes longer: then Late is raised."""
    outcome: list[tuple[Any, Exception | None]] = []
    ended = locks.event()

    def attempt():
        try:
            outcome.append((function(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the caller
            outcome.append((None, error))
        ended.set()

    pool.submit(attempt)
    if not ended.wait(seconds):
        raise Late(f"it has not answered within {seconds:g} s")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
