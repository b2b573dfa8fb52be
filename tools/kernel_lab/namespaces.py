"""Runs a function in separate namespaces, whose processes, mounts and network end with this process."""

import contextlib
import ctypes
import os
import select
import signal
import sys
import traceback

MOUNTS, PROCESSES, NETWORK = 0x20000, 0x20000000, 0x40000000
PRIVATE = 1 << 14 | 1 << 18  # MS_REC, MS_PRIVATE
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0):
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    if LIBC.mount(*arguments, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")


def run(kinds, function):
    """Call the function in a process in new namespaces; its result is the exit status, which is returned."""
    if LIBC.unshare(kinds) != 0:
        raise SystemExit(f"kernel-lab: cannot make namespaces: {os.strerror(ctypes.get_errno())}")
    alive = os.pipe()
    child = os.fork()
    if child == 0:
        with ending():
            os.close(alive[1])
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if not select.select([alive[0]], [], [], 0)[0]:
                mount(None, "/", None, PRIVATE)
                mount("proc", "/proc", "proc")
                os._exit(function())

    def end(number, _frame):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def ending():
    """End a forked process at the end of the block; print the error if the block fails."""
    try:
        yield
    except SystemExit as error:
        print(error, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)
