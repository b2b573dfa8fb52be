#!/usr/bin/env python3
"""Measure what an RBD volume, snapshot and clone take through the driver, beside the bare `rbd` commands.

Both on a Ceph of one monitor and one OSD that is brought up for it on the loopback; the driver's process with librbd
runs already, as it does in a service. Each operation is repeated, the two ways in turn, and the medians are shown.
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

#: How much longer than the bare command an operation may take: so many times, and so many seconds more.
FACTOR, MORE = 1.5, 0.03


def ignore(done, whole):
    """Progress that nobody follows."""


def timed(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def measure(cluster, repeat):
    """{operation: ([seconds of the driver], [seconds of the command])}."""
    driver = rbd.driver(cluster)
    driver.check()
    found = {name: ([], []) for name in ("create", "snapshot", "clone")}
    for _ in range(repeat):
        made, bare, copy, bare_copy = volume(), volume().name, volume(), volume().name
        taken = snapshot(made)
        for name, ours, command in (
                ("create", lambda: driver.create(made), ("create", bare, "--size", "1G")),
                ("snapshot", lambda: driver.create_snapshot(taken), ("snap", "create", f"{bare}@taken", "--no-progress")),
                ("clone", lambda: driver.from_snapshot(copy, taken, ignore),
                 ("clone", "--rbd-default-clone-format", "2", f"volumes/{bare}@taken", f"volumes/{bare_copy}"))):
            found[name][0].append(timed(ours))
            found[name][1].append(timed(lambda: cluster.rbd(*command)))
    driver.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=30, help="how often; the medians are shown")
    arguments = parser.parse_args()
    with Ceph() as cluster:
        found = measure(cluster.start(), arguments.repeat)
    print(f"{'':10}{'driver':>10}{'rbd':>10}{'limit':>10}   (ms, median of {arguments.repeat})")
    for name, times in found.items():
        ours, bare = (statistics.median(one) for one in times)
        limit = FACTOR * bare + MORE
        print(f"{name:10}{ours * 1000:10.0f}{bare * 1000:10.0f}{limit * 1000:10.0f}   {'ok' if ours <= limit else 'over'}")


if __name__ == "__main__":
    main()
