"""Ends the processes of a test run and removes their directories when the run has ended, for whatever reason.

Runs as a separate program. The test run keeps its stdin open and writes lines `+pid`, `-pid`, `+/directory` and
`-/directory`. When stdin closes, the remaining processes and their descendants are killed.
"""

import contextlib
import os
import shutil
import signal
import sys
import time


def descendants(pid):
    """The living processes that `pid` started, and that those started, as a list of numbers."""
    found, left = [], [pid]
    while left:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = left.pop()
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children") as file:
                    children = [int(word) for word in file.read().split()]
                found += children
                left += children
    return found


def session(number):
    """The living processes of the session that process `number` leads or led, as a list of numbers."""
    members = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(int(pid)) == number and alive(int(pid)):
                members.append(int(pid))
    return members


def alive(pid):
    """Whether a process runs; one that has ended and only waits to be asked for its status does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid, limit=30):
    """SIGKILL a process, its descendants and its session, and wait up to `limit` seconds. True when they are gone."""
    family = {pid, *descendants(pid), *session(pid)}
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    end = time.monotonic() + limit
    while any(alive(member) for member in family):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def main():
    kept = set()
    for line in sys.stdin:
        sign, what = line[0], line[1:].strip()
        (kept.add if sign == "+" else kept.discard)(what)
    for what in sorted(kept, key=lambda what: what.startswith("/")):
        if what.startswith("/"):
            shutil.rmtree(what, ignore_errors=True)
        else:
            kill(int(what))


if __name__ == "__main__":
    main()
