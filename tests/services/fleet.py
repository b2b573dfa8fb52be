"""Several schedulers and volume services, each a process of its own host, beside the API of `daemons.Daemons`."""

import os

from tests.services import daemons, pooled, processes


class Fleet(daemons.Daemons):
    """Processes named scheduler-N and volume-N. Each volume service has backends b0, b1, ... of one pool each."""

    def __init__(self, database_url, transport_url, schedulers, volumes, backends, gigabytes, changes=None):
        """`gigabytes` is the size of each pool."""
        sections = [f"b{n}" for n in range(backends)]
        names = [f"volume-{n}" for n in range(volumes)]
        super().__init__(database_url, transport_url, "null", {
            "DEFAULT": {"enabled_backends": ",".join(sections), **(changes or {})}}, log_lines=30)
        self.backends = [f"{name}@{section}" for name in names for section in sections]
        self.processes = {"api": self.processes["api"]}
        for name in (*(f"scheduler-{n}" for n in range(schedulers)), *names):
            self._add(name, sections, gigabytes)

    def _add(self, name, sections, gigabytes):
        options = {"DEFAULT": {"host": name}}
        for section in sections:
            options[section] = {"volume_driver": "tests.services.pooled.PooledDriver", "volume_backend_name": section,
                                "pooled_gb": gigabytes, "pooled_record": self._record(f"{name}@{section}")}
        own = self.directory.make(f"{name}.conf", daemons.as_text(options))
        process = self.processes[name] = self._process(name.partition("-")[0])
        process.name, process.argv = name, [*process.argv, "--config-file", own]
        process.log = os.path.join(self.directory.path, f"{name}.log")

    def _record(self, backend):
        return os.path.join(self.directory.path, f"calls-{backend}")

    def calls(self):
        """[(backend, what was called, volume's id)] of all drivers."""
        return [(backend, call, name.removeprefix("volume-")) for backend in self.backends
                for call, name, _ in pooled.recorded(self._record(backend))]

    def _reported(self, name):
        """Whether the process, and each backend of a volume service, has reported itself since it was started."""
        binary = f"cinder-{name.partition('-')[0]}"
        own = [backend for backend in self.backends if backend.startswith(f"{name}@")] or [name]
        services = self.request("GET", f"/os-services?binary={binary}")[1]["services"]
        up = {row["host"] for row in services if row["state"] == "up" and row["updated_at"] >= self._started[name]}
        pools = self.request("GET", "/scheduler-stats/get_pools")[1]["pools"]
        measured = {pool["name"].partition("#")[0] for pool in pools}
        return up.issuperset(own) and (binary != "cinder-volume" or measured.issuperset(own))

    def run(self):
        """Start all processes and wait until they work."""
        return self.start(tuple(self.processes))


def start_again(fleet, name):
    """Start a killed process again, and wait until it works."""
    fleet.launch(name)
    fleet.processes[name].wait(lambda: fleet._reported(name))


def until_accepted(clients, count):
    """Wait until so many requests were accepted."""
    processes.until(lambda: sum(client.accepted for client in clients) >= count, 120, f"{count} accepted requests")
