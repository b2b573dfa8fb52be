#!/usr/bin/env python3
"""Measure pages of lists in a database of few volumes and in one of many, on MariaDB and PostgreSQL.

Each request is answered by the application itself, without a network between. Shown are medians in ms and how many times
as long a request takes among many volumes as among a thousand.
"""

import argparse
import os
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.services import servers  # noqa: E402
from tests.services.crowd import REQUESTS, Crowd  # noqa: E402

FEW = 1000


def medians(crowd, repeat):
    found = {}
    for name in REQUESTS:
        path = crowd.path(name)
        crowd.request(path)
        found[name] = statistics.median(crowd.request(path)[0] for _ in range(repeat)) * 1000
    return found


def measure(server, many, repeat):
    with server, tempfile.TemporaryDirectory() as directory:
        servers.started(server)
        crowd = Crowd(server.url, directory)
        crowd.add(FEW)
        before = medians(crowd, repeat)
        crowd.add(many)
        after = medians(crowd, repeat)
        whole = statistics.median(crowd.request("/volumes/detail?limit=1000")[0] for _ in range(5)) * 1000
        crowd.close()
    print(f"\n{server.name}: {FEW} and {many} volumes, ms, median of {repeat}; limit=1000 among many: {whole:.1f} ms")
    for name in REQUESTS:
        print(f"  {name:20} {before[name]:8.2f} {after[name]:8.2f}  {after[name] / before[name]:6.2f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--database", choices=("mariadb", "postgresql"), action="append")
    arguments = parser.parse_args()
    for kind in arguments.database or ("mariadb", "postgresql"):
        measure({"mariadb": servers.MariaDB, "postgresql": servers.PostgreSQL}[kind](), arguments.volumes,
                arguments.repeat)


if __name__ == "__main__":
    main()
