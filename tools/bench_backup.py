#!/usr/bin/env python3
"""Measures full backup, incremental backup, verification and restore of a sparse volume, each in a separate process.

Half of the volume is random data, half is holes. Before the incremental backup 5 % of the data is overwritten. MB/s are
10^6 bytes of the volume size per second. The peak is the resident memory of the process. The sources and objects are in
the page cache. All data is synced to the disk at the end of each phase.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import types

MIB = 1024**2
PHASES = ("full", "incremental", "again unchanged", "verify", "restore", "restore over old data")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=1, help="size of the volume")
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--folder", help="the directory of the volume and the store; default: a temporary directory")
    parser.add_argument("--repeat", type=int, default=3, help="number of runs; the median is shown")
    parser.add_argument("--phase", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.phase:
        run_phase(arguments)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        arguments.folder = folder
        runs = [measure(arguments) for _ in range(arguments.repeat)]
    mode = runs[0]["full"]["mode"]
    print(f"{arguments.gib:g} GiB, {arguments.threads} threads, {mode}, median of {arguments.repeat}")
    for phase in PHASES:
        seconds = sorted(run[phase]["seconds"] for run in runs)[len(runs) // 2]
        peak = max(run[phase]["peak"] for run in runs)
        speed = arguments.gib * 1024 * MIB / 1e6 / seconds
        print(f"{phase:22} {seconds:7.2f} s {speed:7.0f} MB/s  peak {peak:4.0f} MB")


def measure(arguments):
    volume, size = os.path.join(arguments.folder, "volume"), int(arguments.gib * 1024) * MIB
    make_volume(volume, size)
    results = {}
    for phase in PHASES:
        if phase == "incremental":
            change(volume, size, 0.05)
        if phase == "restore":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(arguments.folder, "target"))
            with open(os.path.join(arguments.folder, "target"), "wb") as target:
                target.truncate(size)
        os.sync()
        command = [sys.executable, __file__, "--phase", phase, "--gib", str(arguments.gib),
                   "--threads", str(arguments.threads), "--folder", arguments.folder]
        results[phase] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if subprocess.run(["cmp", volume, os.path.join(arguments.folder, "target")]).returncode:
        sys.exit("the restored data differs from the backed up data")
    subprocess.run(["rm", "-rf", os.path.join(arguments.folder, "store")], check=True)
    return results


def make_volume(path, size):
    with open(path, "wb") as file:
        for offset in range(0, size, 128 * MIB):
            file.seek(offset)
            for _ in range(min(64, (size - offset) // MIB)):
                file.write(os.urandom(MIB))
        file.truncate(size)


def change(path, size, part):
    """Overwrite the given share of the data, in pieces of 4 KiB to 1 MiB."""
    generator, left = random.Random(1), size // 2 * part
    with open(path, "r+b") as file:
        while left > 0:
            piece = generator.choice((4096, 65536, MIB))
            file.seek(generator.randrange(size // (128 * MIB) or 1) * 128 * MIB + generator.randrange(63) * MIB)
            file.write(os.urandom(piece))
            left -= piece


def run_phase(arguments):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from cinder_lite import concurrency
    concurrency.patch()
    from cinder_lite.backup import manifest, reader, writer
    from cinder_lite.backup.stores import posix
    from cinder_lite.blockio import device

    path = os.path.join(arguments.folder, "{}").format
    store = posix.PosixStore(types.SimpleNamespace(backup_posix_path=path("store"), backup_container=None))
    full, second, third = (manifest.Place(name, store.container(name)) for name in ("full", "second", "third"))

    def write(place, parent=None):
        with device.Source(path("volume")) as source:
            size = int(arguments.gib * 1024) * MIB
            writer.write(store, place, source, size, writer.Format(threads=arguments.threads), parent)

    def bring_back(target_is_zero):
        with device.Target(path("target")) as target:
            reader.restore(store, second, target, target_is_zero, threads=arguments.threads)

    calls = {"full": lambda: write(full), "incremental": lambda: write(second, full),
             "again unchanged": lambda: write(third, second),
             "verify": lambda: reader.verify(store, second, threads=arguments.threads),
             "restore": lambda: bring_back(True), "restore over old data": lambda: bring_back(False)}
    begin = time.perf_counter()
    concurrency.in_thread(calls[arguments.phase])
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
                      "mode": concurrency.patching.MODE}))


if __name__ == "__main__":
    main()
