"""Keeps the memory of a process small."""

import ctypes
import gc

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)


def end_imports() -> None:
    """Begin the garbage collection, which omits all that has been imported by now: imported modules stay."""
    gc.freeze()
    gc.enable()
    release()


def release() -> None:
    """Return free memory to the system, which the C library keeps after imports and after load (malloc_trim(3))."""
    _malloc_trim(0)
