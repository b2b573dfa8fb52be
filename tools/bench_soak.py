#!/usr/bin/env python3
"""Measures whether the memory of the services grows under load: PSS of the four services every minute, and the growth.

Starts MariaDB, RabbitMQ and the four processes (two API workers, a null backend) on loopback. Clients create, snapshot,
attach, list and delete volumes for `--minutes`. Exits with 1 if the services together have grown by more than
`--allowed` MB after the first fifth of that time. Run it with the Python of an environment with the [test] extra.
"""

import argparse
import concurrent.futures
import os
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TOP, os.path.join(TOP, "tools", "benchmark")]
CONNECTOR = {"host": "client", "ip": "127.0.0.1", "initiator": "iqn.1993-08.org.example:client"}
INSTANCE = "22222222-2222-4222-8222-222222222222"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--allowed", type=float, default=15, metavar="MB", help="allowed growth after the warm-up")
    return parser.parse_args()


def made(daemons, kind, body):
    """Create something, and wait until it is available; its id."""
    status, answer = daemons.request("POST", f"/{kind}s", {kind: body})
    assert status == 202, answer
    found = answer[kind]["id"]
    while daemons.request("GET", f"/{kind}s/{found}")[1][kind]["status"] != "available":
        time.sleep(0.05)
    return found


def removed(daemons, kind, found):
    assert daemons.request("DELETE", f"/{kind}s/{found}")[0] == 202
    while daemons.request("GET", f"/{kind}s/{found}")[0] != 404:
        time.sleep(0.05)


def cycle(daemons):
    """The life of a volume with a snapshot and an attachment."""
    volume = made(daemons, "volume", {"size": 1, "volume_type": "null"})
    snapshot = made(daemons, "snapshot", {"volume_id": volume})
    status, answer = daemons.request("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": INSTANCE, "connector": CONNECTOR}})
    assert status == 200, answer
    assert daemons.request("DELETE", f"/attachments/{answer['attachment']['id']}")[0] == 200
    assert daemons.request("GET", "/volumes/detail?limit=100")[0] == 200
    removed(daemons, "snapshot", snapshot)
    removed(daemons, "volume", volume)


def client(daemons, end):
    """Run cycles until the time `end`; how many."""
    count = 0
    while time.monotonic() < end:
        cycle(daemons)
        count += 1
    return count


def pss(daemons):
    """{service: PSS of its processes in MB}"""
    import mem

    return {name: mem.memory(mem.tree(process.pid))["pss_mb"] for name, process in daemons.processes.items()}


def show(began, sizes):
    parts = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    print(f"{(time.monotonic() - began) / 60:5.1f} min: {sum(sizes.values()):.1f} MB ({parts})", flush=True)
    return sum(sizes.values())


def soak(options, daemons):
    """Run the load. Returns the growth after the warm-up in MB."""
    began = time.monotonic()
    end = began + options.minutes * 60
    show(began, pss(daemons))
    with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
        clients = [pool.submit(client, daemons, end) for _ in range(options.clients)]
        samples = []
        while time.monotonic() < end:
            concurrent.futures.wait(clients, timeout=min(60, max(0, end - time.monotonic())),
                                    return_when=concurrent.futures.FIRST_EXCEPTION)
            samples.append((time.monotonic() - began, show(began, pss(daemons))))
            if any(one.done() and one.exception() for one in clients):
                break
        cycles = sum(one.result() for one in clients)
    warm = next(size for seconds, size in samples if seconds >= options.minutes * 12)
    print(f"{cycles} cycles; growth after the warm-up: {samples[-1][1] - warm:.1f} MB")
    return samples[-1][1] - warm


def main():
    import systems

    from tests import product
    from tests.services import servers
    from tests.services.daemons import Daemons

    options = arguments()
    systems.compile_modules(product.python())
    with servers.MariaDB() as mariadb, servers.RabbitMQ() as rabbitmq:
        servers.started(mariadb, rabbitmq)
        changes = {"DEFAULT": {"enabled_backends": "null", "osapi_volume_workers": 2, "report_interval": 10,
                               "service_down_time": 60, "job_lease": 30},
                   "null": {"volume_driver": "null", "volume_backend_name": "null"}}
        with Daemons(mariadb.url, rabbitmq.url, changes=changes) as daemons:
            daemons.start()
            daemons.request("POST", "/types", {"volume_type": {
                "name": "null", "extra_specs": {"volume_backend_name": "null"}}})
            growth = soak(options, daemons)
            daemons.stop()
    sys.exit(growth > options.allowed)


if __name__ == "__main__":
    main()
