"""A timer of the kernel that kills this process, also while the process is stopped.

A process that does not run cannot check its lease, and checks nothing between its last check and the write that
follows when it runs again. The kernel ends it before that.
"""

import ctypes
import os
import signal

BOOTTIME = 7  # of linux/time.h
ABSOLUTE = 1  # flag of timer_settime(2)


class _Event(ctypes.Structure):
    """struct sigevent of linux/signal.h, whose `notify` is 0 for a signal."""

    _fields_ = (("value", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int),
                ("rest", ctypes.c_byte * 48))


class _Times(ctypes.Structure):
    """struct itimerspec: the interval of repetitions, and the moment."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("every", "every_ns", "seconds", "nanoseconds"))


class KillTimer:
    """A timer, not set at first. `close` frees it."""

    def __init__(self) -> None:
        self._libc, self._id = ctypes.CDLL(None, use_errno=True), ctypes.c_void_p()
        event = _Event(signo=signal.SIGKILL)
        self._checked(self._libc.timer_create(BOOTTIME, ctypes.byref(event), ctypes.byref(self._id)))

    def set(self, at: float) -> None:
        """Kill the process at that moment, in seconds of clock.since_boot; 0: never."""
        seconds = int(at)
        times = _Times(seconds=seconds, nanoseconds=int((at - seconds) * 1e9))
        self._checked(self._libc.timer_settime(self._id, ABSOLUTE, ctypes.byref(times), None))

    def close(self) -> None:
        self._checked(self._libc.timer_delete(self._id))

    @staticmethod
    def _checked(status):
        if status != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
