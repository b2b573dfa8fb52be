"""The clock of the process: reads the time and sleeps."""

import contextlib
import datetime
import time as system
from collections.abc import Callable, Iterator
from typing import Protocol

#: eventlet replaces the module's; this module is imported before that.
_sleep_natively = system.sleep


class Clock(Protocol):
    """Where the time comes from; the standard library's module `time` is the system's."""

    def time(self) -> float:
        """Seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since some moment; never set back."""

    def sleep(self, seconds: float, /) -> None:
        """Let other threads run for so many seconds."""


_clock: Clock = system


def install(clock: Clock) -> None:
    """Use another clock than the system's from now on, such as a simulated one."""
    global _clock
    _clock = clock


def time() -> float:
    """Seconds since 1970; for differences use `monotonic`."""
    return _clock.time()


def now() -> datetime.datetime:
    """The present time in UTC without a time zone, as times are stored."""
    return datetime.datetime.fromtimestamp(_clock.time(), datetime.UTC).replace(tzinfo=None)


def monotonic() -> float:
    """Seconds since some moment; never set back."""
    return _clock.monotonic()


def since_boot() -> float:
    """Seconds since the host was started, with those in which it was suspended; never set back."""
    return system.clock_gettime(system.CLOCK_BOOTTIME) if _clock is system else _clock.monotonic()


def is_simulated() -> bool:
    """Whether the times are not the kernel's."""
    return _clock is not system


def sleep(seconds: float) -> None:
    """Let other threads, green or native, run for so many seconds."""
    _clock.sleep(seconds)


def sleep_in_thread(seconds: float) -> None:
    """Block a native thread for so many seconds, whatever the mode."""
    (_sleep_natively if _clock is system else _clock.sleep)(seconds)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[Callable[[], float]]:
    """Yield a function `left()` that returns the remaining seconds, never below 0."""
    end = monotonic() + seconds
    yield lambda: max(0.0, end - monotonic())
