#!/usr/bin/env python3
"""Measure pages of lists in a database of few volumes and in one of many, on MariaDB and PostgreSQL.

Each request is answered by the application itself, without a network between. Shown are ms and how many times as long a
request takes among many volumes as among a thousand.
"""

import argparse
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


def best(crowd, repeat):
    """{name: ms} of the quickest of so many requests: what else the machine does only makes some slower."""
    found = {}
    for name in REQUESTS:
        path = crowd.path(name)
        found[name] = min(crowd.request(path)[0] for _ in range(repeat)) * 1000
    return found


def fill(crowd, volumes, others):
    began = time.monotonic()
    for kind in KINDS:
        crowd.add(kind, volumes if kind == "volumes" else min(volumes, others))
    print(f"{volumes} volumes are there after {time.monotonic() - began:.0f} s", file=sys.stderr)


def measure(server, many, others, repeat):
    with server, tempfile.TemporaryDirectory() as directory:
        servers.started(server)
        crowd = Crowd(server.url, directory)
        fill(crowd, FEW, FEW)
        before = best(crowd, repeat)
        fill(crowd, many, others)
        after = best(crowd, repeat)
        whole = min(crowd.request("/volumes/detail?limit=1000")[0] for _ in range(repeat)) * 1000
        crowd.close()
    print(f"\n{server.name}: {FEW} and {many} volumes (at most {others} of the others), ms, best of {repeat}; "
          f"limit=1000 among many: {whole:.1f} ms")
    for name in REQUESTS:
        ratio = after[name] / before[name]
        print(f"  {name:36} {before[name]:8.2f} {after[name]:8.2f}  {ratio:6.2f} x{'' if ratio <= 2 else '  !'}", flush=True)


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
            measure(kind(), arguments.volumes, arguments.others, arguments.repeat)


if __name__ == "__main__":
    main()
