#!/usr/bin/env python3
"""Measure pages of lists in a database of few volumes and in one of many in turn, on MariaDB and PostgreSQL.

Each request is answered by the application itself, without a network between. Shown are ms and how many times as long a
request takes among many volumes as among a thousand.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.services import servers  # noqa: E402
from tests.services.crowd import KINDS, REQUESTS, Crowd  # noqa: E402

FEW = 1000
#: MiB for the database's cache, as an installation of that size would have.
MEMORY = 1024


def quickest(few, many, repeat):
    """{name: (ms among few, ms among many)}, of the quickest of so many requests each.

    They are asked in turn, so that whatever else the machine does meets both of them, and it only makes some slower.
    """
    found = {}
    for name in REQUESTS:
        paths = [(crowd, crowd.path(name)) for crowd in (few, many)]
        took = [[crowd.request(path)[0] * 1000 for crowd, path in paths] for _ in range(repeat)]
        found[name] = tuple(map(min, zip(*took, strict=True)))
    return found


def fill(crowd, volumes, others):
    began = time.monotonic()
    for kind in KINDS:
        crowd.add(kind, volumes if kind == "volumes" else min(volumes, others))
    print(f"{volumes} volumes are there after {time.monotonic() - began:.0f} s", file=sys.stderr)


@contextlib.contextmanager
def filled(kind, volumes, others):
    """A Crowd of so many rows on a database server of its own."""
    with kind() as server, tempfile.TemporaryDirectory() as directory:
        servers.started(server)
        crowd = Crowd(server.url, directory)
        fill(crowd, volumes, others)
        yield crowd
        crowd.close()


def measure(kind, volumes, others, repeat):
    with filled(kind, FEW, FEW) as few, filled(kind, volumes, others) as many:
        found = quickest(few, many, repeat)
        whole = min(many.request("/volumes/detail?limit=1000")[0] for _ in range(repeat)) * 1000
    print(f"\n{kind.name}: {FEW} and {volumes} volumes (at most {others} of the others), ms, best of {repeat}; "
          f"limit=1000 among many: {whole:.1f} ms")
    for name, (before, after) in found.items():
        ratio = after / before
        print(f"  {name:36} {before:8.2f} {after:8.2f}  {ratio:6.2f} x{'' if ratio <= 2 else '  !'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=100_000)
    parser.add_argument("--others", type=int, default=100_000, help="at most so many snapshots, backups and attachments")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--database", choices=("mariadb", "postgresql"), action="append")
    arguments = parser.parse_args()
    for kind in (servers.MariaDB, servers.PostgreSQL):
        if not arguments.database or kind.name in arguments.database:
            kind.memory = MEMORY
            measure(kind, arguments.volumes, arguments.others, arguments.repeat)


if __name__ == "__main__":
    main()
