#!/usr/bin/env python3
"""Measures pages of lists in a small and in a large database, alternating, on MariaDB and PostgreSQL.

The application handles each request directly, without a network. The output has the times in ms and the ratio of the
large to the small database.
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
#: The cache of the database in MiB, typical for an installation of this size.
MEMORY = 1024


def quickest(few, many, repeat):
    """Return {name: (ms in the small, ms in the large database)}, each the fastest of `repeat` requests.

    The requests alternate, so that other load on the machine affects both.
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
    print(f"created {volumes} volumes in {time.monotonic() - began:.0f} s", file=sys.stderr)


@contextlib.contextmanager
def filled(kind, volumes, others):
    """A Crowd of the given number of rows on a separate database server."""
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
    parser.add_argument("--others", type=int, default=100_000, help="maximum number of rows of other resources")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--database", choices=("mariadb", "postgresql"), action="append")
    arguments = parser.parse_args()
    for kind in (servers.MariaDB, servers.PostgreSQL):
        if not arguments.database or kind.name in arguments.database:
            kind.memory = MEMORY
            measure(kind, arguments.volumes, arguments.others, arguments.repeat)


if __name__ == "__main__":
    main()
