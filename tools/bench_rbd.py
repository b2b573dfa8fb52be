#!/usr/bin/env python3
"""Compares create, snapshot and clone by the RBD driver with the `rbd` commands.

Both use a Ceph cluster of one monitor and one OSD on loopback. The librbd process of the driver is already running, as
in a service. The operations are repeated, both ways alternating, and the medians are shown.
"""

import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests.contract.backends import snapshot, volume
from tests.storage import rbd
from tests.storage.ceph import Ceph

#: The limit of an operation: the time of the command times FACTOR, plus MORE seconds.
FACTOR, MORE = 1.5, 0.03


def ignore(done, whole):
    """A progress callback that does nothing."""


def timed(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def measure(cluster, repeat):
    """Return {operation: ([seconds of the driver], [seconds of the command])}."""
    driver = rbd.driver(cluster)
    driver.check()
    found = {name: ([], []) for name in ("create", "snapshot", "clone")}
    for _ in range(repeat):
        made, bare, copy, bare_copy = volume(), volume().name, volume(), volume().name
        taken = snapshot(made)
        for name, ours, command in (
                ("create", lambda: driver.create(made), ("create", bare, "--size", "1G")),
                ("snapshot", lambda: driver.create_snapshot(taken),
                 ("snap", "create", f"{bare}@taken", "--no-progress")),
                ("clone", lambda: driver.from_snapshot(copy, taken, ignore),
                 ("clone", "--rbd-default-clone-format", "2", f"volumes/{bare}@taken", f"volumes/{bare_copy}"))):
            found[name][0].append(timed(ours))
            found[name][1].append(timed(lambda: cluster.rbd(*command)))
    driver.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=30, help="number of runs; the medians are shown")
    arguments = parser.parse_args()
    with Ceph() as cluster:
        found = measure(cluster.start(), arguments.repeat)
    print(f"{'':10}{'driver':>10}{'rbd':>10}{'limit':>10}   (ms, median of {arguments.repeat})")
    for name, times in found.items():
        ours, bare = (statistics.median(one) for one in times)
        limit = FACTOR * bare + MORE
        print(f"{name:10}{ours * 1000:10.0f}{bare * 1000:10.0f}{limit * 1000:10.0f}   "
              f"{'ok' if ours <= limit else 'over'}")


if __name__ == "__main__":
    main()
