#!/usr/bin/env python3
"""Compares create, snapshot and clone of 1 GiB by the LVM driver with the equivalent LVM commands.

Run it in the kernel lab: tools/kernel-lab --disk 20G -- .tox/venv/bin/python tools/bench_lvm.py. Both alternate, and
the medians are shown. The commands for a thick volume have the same result as the driver: a zeroed volume, and a clone
as of one point in time.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time

from oslo_config import cfg

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm.driver import OPTIONS, LvmDriver

GROUP = "bench"
POOL = f"{GROUP}/{GROUP}-pool"
NUMBERS = itertools.count()
#: The limit of an operation: the time of the commands times FACTOR, plus MORE milliseconds.
FACTOR, MORE = 1.5, 30


def run(line):
    subprocess.run(line.split(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def driver(kind):
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts(OPTIONS, group="lvm")
    for name, value in {"volume_group": GROUP, "lvm_type": kind, "volume_clear": "none"}.items():
        conf.set_override(name, value, group="lvm")
    made = LvmDriver(conf.lvm, "lvm")
    made.check()
    return made


class Ours:
    """Return the calls of the driver; each returns a function that undoes it."""

    def __init__(self, kind):
        self.driver = driver(kind)
        self.source = self.new()
        self.driver.create(self.source)

    @staticmethod
    def new():
        return base.Volume(f"ours-{next(NUMBERS)}", 1)

    def create(self):
        made = self.new()
        self.driver.create(made)
        return lambda: self.driver.delete(made)

    def snapshot(self):
        made = base.Snapshot(f"ours-{next(NUMBERS)}", 1, self.source)
        self.driver.create_snapshot(made)
        return lambda: self.driver.delete_snapshot(made)

    def clone(self):
        made = self.new()
        self.driver.clone(made, self.source, lambda done, whole: None)
        return lambda: self.driver.delete(made)


class Bare:
    """Return the equivalent commands."""

    def __init__(self, kind):
        self.thin = kind == "thin"
        self.create(f"{GROUP}/source")

    def create(self, name=None):
        name = name or f"{GROUP}/bare-{next(NUMBERS)}"
        if self.thin:
            run(f"lvcreate -y -V 1G --thinpool {POOL} -n {name}")
        else:
            run(f"lvcreate -y -L 1G -n {name}")
            run(f"blkdiscard -z /dev/{name}")
        return lambda: run(f"lvremove -f {name}")

    def snapshot(self):
        name = f"bare-{next(NUMBERS)}"
        run(f"lvcreate -y -s {'' if self.thin else '-l 100%ORIGIN'} -n {name} {GROUP}/source")
        return lambda: run(f"lvremove -f {GROUP}/{name}")

    def clone(self):
        name = f"bare-{next(NUMBERS)}"
        if self.thin:
            run(f"lvcreate -y -s -kn -n {name} {GROUP}/source")
            return lambda: run(f"lvremove -f {GROUP}/{name}")
        self.create(f"{GROUP}/{name}")
        thaw = self.snapshot()
        run(f"dd if=/dev/{GROUP}/bare-{next(NUMBERS) - 1} of=/dev/{GROUP}/{name} bs=4M conv=fsync,sparse")
        thaw()
        return lambda: run(f"lvremove -f {GROUP}/{name}")


def seconds(call):
    began = time.monotonic()
    undo = call()
    took = time.monotonic() - began
    undo()
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    if "KERNEL_LAB_DISKS" not in os.environ:
        sys.exit("bench_lvm: run it in the kernel lab, with a --disk of 20G")
    print(f"{'1 GiB, median of ' + str(arguments.repeat):<24}{'bare':>9}{'ours':>9}{'limit':>9}")
    for kind in ("thin", "default"):
        run(f"vgcreate -y {GROUP} {os.environ['KERNEL_LAB_DISKS'].split()[0]}")
        ours, bare = Ours(kind), Bare(kind)
        for name in ("create", "snapshot", "clone"):
            pairs = [(seconds(getattr(bare, name)), seconds(getattr(ours, name))) for _ in range(arguments.repeat)]
            theirs, mine = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
            limit = FACTOR * theirs + MORE
            print(f"{kind:<10}{name:<14}{theirs:>6.0f} ms{mine:>6.0f} ms{limit:>6.0f} ms   "
                  f"{'ok' if mine <= limit else 'over'}",
                  flush=True)
        run(f"vgremove -f -y {GROUP}")


if __name__ == "__main__":
    main()
