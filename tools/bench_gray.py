#!/usr/bin/env python3
"""Measures what a backend that hangs costs the others: p99 of requests before and while one of four is stopped.

Starts MariaDB, RabbitMQ, the four processes (two API workers, three null backends) and a second volume service with a
fourth null backend on loopback. `--clients` run the life of volumes on the first three, and `--others` ask for volumes
and connections on the fourth. In each round all is measured first as it is, then while the fourth is stopped by
SIGSTOP. Exits with 1 if p99 of all requests of the first three has grown by more than `--allowed`, or if p99 of
/healthcheck is above `--health` meanwhile. Run it with the Python of an environment with the [test] extra.
"""

import argparse
import asyncio
import concurrent.futures
import http.client
import os
import signal
import sys
import time
import types

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TOP, os.path.join(TOP, "tools", "benchmark")]
FAST, HUNG = ("one", "two", "three"), "four"
INSTANCE = "22222222-2222-4222-8222-222222222222"
#: Seconds between requests of each client of the fourth backend, and between two probes.
PAUSE, PROBE = 0.2, 0.02


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15, help="length of each of the two parts of a round")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--others", type=int, default=8)
    parser.add_argument("--allowed", type=float, default=1.5, metavar="RATIO", help="p99 during ÷ before")
    parser.add_argument("--health", type=float, default=50, metavar="MS", help="p99 of /healthcheck")
    return parser.parse_args()


def probe(port, seconds):
    """Seconds that each of the requests of /healthcheck took; in a process of its own, with no other work."""
    connection, found, end = http.client.HTTPConnection("127.0.0.1", port, timeout=60), [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        connection.request("GET", "/healthcheck")
        assert connection.getresponse().read() == b"OK"
        found.append(time.perf_counter() - began)
        time.sleep(PROBE)
    return found


class Load:
    """The clients of one part of a round. `took` is {request: seconds of each}, of the first three backends."""

    def __init__(self, client, volumes, options):
        self.client, self.volumes, self.options = client, volumes, options
        self.took, self.end = {}, time.monotonic() + options.seconds

    async def ask(self, name, *request, ok=(200, 202, 204)):
        began = time.perf_counter()
        answer = await self.client(*request, ok=ok)
        self.took.setdefault(name, []).append(time.perf_counter() - began)
        return answer

    async def until(self, volume, status):
        """Poll a volume until it has the status, None: until it is gone."""
        while True:
            code, body = await self.ask("show", "GET", f"/volumes/{volume}", ok=(200, 404))
            found = body["volume"]["status"] if code == 200 else None
            if found == status:
                return
            assert found is not None and not found.startswith("error"), f"{volume} is {found}, not {status}"
            await asyncio.sleep(0.02)

    async def lives(self, number):
        while time.monotonic() < self.end:
            body = {"volume": {"size": 1, "volume_type": FAST[number % len(FAST)]}}
            volume = (await self.ask("create", "POST", "/volumes", body))[1]["volume"]["id"]
            await self.until(volume, "available")
            attachment = (await self.ask("attach", "POST", "/attachments", attaching(volume)))[1]["attachment"]["id"]
            await self.ask("list", "GET", "/volumes/detail?limit=50")
            await self.ask("detach", "DELETE", f"/attachments/{attachment}")
            await self.ask("delete", "DELETE", f"/volumes/{volume}")
            await self.until(volume, None)

    async def asks_the_fourth(self, number):
        while time.monotonic() < self.end:
            await self.client("POST", "/volumes", {"volume": {"size": 1, "volume_type": HUNG}}, ok=(202,))
            code, body = await self.client("POST", "/attachments", attaching(self.volumes[number]), ok=None)
            if code == 200:
                await self.client("DELETE", f"/attachments/{body['attachment']['id']}", ok=None)
            await asyncio.sleep(PAUSE)

    async def run(self):
        count = self.options.clients
        others = [asyncio.ensure_future(self.asks_the_fourth(number)) for number in range(self.options.others)]
        await asyncio.gather(*(self.lives(number) for number in range(count)))
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.client.drop()
        return self.took


def attaching(volume):
    import bench

    return {"attachment": {"volume_uuid": volume, "instance_uuid": INSTANCE, "connector": bench.CONNECTOR}}


def measured(daemons, volumes, options):
    """{request: seconds of each} of one part of a round; "healthcheck" is one of them."""
    import bench

    client = bench.Client(types.SimpleNamespace(endpoint=f"{daemons.url}/v3/{daemons.project}", microversion="3.60",
                                                token=f"admin:{daemons.project}", header=[]))
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        health = pool.submit(probe, daemons.port, options.seconds)
        took = asyncio.run(Load(client, volumes, options).run())
        return {**took, "healthcheck": health.result()}


def fourth(daemons):
    """A second volume service, with the fourth backend."""
    from tests import product
    from tests.services import processes

    more = daemons.directory.make("fourth.conf", f"[DEFAULT]\nenabled_backends = {HUNG}\nhost = fourth\n")
    files = (word for file in (daemons.config_file, more) for word in ("--config-file", file))
    service = processes.Process("fourth", [product.python(), "-m", "cinder_lite.cmd.volume", *files],
                                os.path.join(daemons.directory.path, "fourth.log"), {"PYTHONPATH": TOP})
    service.start()
    service.wait(lambda: any(one["host"] == f"fourth@{HUNG}" and one["state"] == "up"
                             for one in daemons.request("GET", "/os-services")[1]["services"]))
    return service


def made(daemons, count):
    """Volumes on the fourth backend."""
    for name in (*FAST, HUNG):
        daemons.request("POST", "/types", {"volume_type": {"name": name,
                                                           "extra_specs": {"volume_backend_name": name}}})
    body = {"volume": {"size": 1, "volume_type": HUNG, "multiattach": False}}
    ids = [daemons.request("POST", "/volumes", body)[1]["volume"]["id"] for _ in range(count)]
    settle(daemons)
    assert {daemons.request("GET", f"/volumes/{id}")[1]["volume"]["status"] for id in ids} == {"available"}
    return ids


def settle(daemons):
    from tests.services import processes

    processes.until(lambda: not daemons.request("GET", "/volumes?status=creating&limit=1")[1]["volumes"], 300,
                    "no volume to be created any more")


def rounds(daemons, service, options):
    """({request: seconds} before, the same while the fourth backend is stopped), of all rounds together."""
    volumes, parts = made(daemons, options.others), ({}, {})
    print("warming up", flush=True)
    measured(daemons, volumes, argparse.Namespace(**{**vars(options), "seconds": 3}))
    for _ in range(options.rounds):
        for part, is_stopped in zip(parts, (False, True), strict=True):
            service.send(signal.SIGSTOP if is_stopped else signal.SIGCONT)
            if not is_stopped:
                settle(daemons)
            print("while one is stopped" if is_stopped else "as it is", flush=True)
            for name, took in measured(daemons, volumes, options).items():
                part.setdefault(name, []).extend(took)
    service.send(signal.SIGCONT)
    return parts


def judge(before, during, options):
    """Print p99 of each request; whether the goals are met."""
    import bench

    everything = [[second for name, took in part.items() if name != "healthcheck" for second in took]
                  for part in (before, during)]
    print(f"{'p99, ms':14}{'before':>10}{'during':>10}{'ratio':>8}{'requests':>18}")
    for name, first, second in (*((name, before[name], during.get(name, [])) for name in sorted(before)),
                                ("all", *everything)):
        old, new = (bench.pct(took, 99) * 1000 for took in (first, second))
        print(f"{name:14}{old:10.1f}{new:10.1f}{new / old:8.2f}{len(first):9}{len(second):9}")
    ratio = bench.pct(everything[1], 99) / bench.pct(everything[0], 99)
    health = bench.pct(during["healthcheck"], 99) * 1000
    verdicts = ratio <= options.allowed, health <= options.health
    for text, met in zip((f"p99 during / before {ratio:.2f}, goal {options.allowed:g}",
                          f"p99 of /healthcheck {health:.1f} ms, goal {options.health:g}"), verdicts, strict=True):
        print(f"{text}: {'met' if met else 'missed'}")
    return all(verdicts)


def main():
    import systems

    from tests import product
    from tests.services import servers
    from tests.services.daemons import Daemons

    options = arguments()
    systems.compile_modules(product.python())
    backends = {name: {"volume_driver": "null", "volume_backend_name": name} for name in (*FAST, HUNG)}
    changes = {"DEFAULT": {"enabled_backends": ",".join(FAST), "osapi_volume_workers": 2, "report_interval": 10,
                           "service_down_time": 60, "job_lease": 30, "rpc_reply_timeout": 60}, **backends}
    with servers.MariaDB() as mariadb, servers.RabbitMQ() as rabbitmq:
        servers.started(mariadb, rabbitmq)
        with Daemons(mariadb.url, rabbitmq.url, changes=changes, log_lines=0) as daemons:
            daemons.start()
            service = fourth(daemons)
            try:
                met = judge(*rounds(daemons, service, options), options)
            finally:
                service.kill()
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
