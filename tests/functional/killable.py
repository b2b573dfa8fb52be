"""The whole service in a separate process, so that tests can kill it."""

import os
import sys

from tests.functional.client import Client
from tests.meta.source import TOP
from tests.services.processes import Process


class Killable:
    """Configured like a Service that is not started; `process` is it."""

    def __init__(self, configured):
        self.configured = configured
        self.state, self.client = self.configured.state, Client(self.configured.url)
        argv = [sys.executable, "-m", "cinder_lite.cmd.all", "--config-file", self.configured.config_file]
        self.process = Process("cinder-lite-all", argv, os.path.join(self.state, "log"), {"PYTHONPATH": str(TOP)})

    def start(self):
        self.process.start()
        self.process.wait(self._ready)

    def _ready(self):
        try:
            services = self.client("GET", "/os-services", expect=200)["services"]
            pools = self.client("GET", "/scheduler-stats/get_pools?detail=True", expect=200)["pools"]
        except OSError:
            return False
        count = len(self.configured.backends)
        return sum(one["state"] == "up" for one in services) == 2 + count and len(pools) == count

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.configured.remove()
