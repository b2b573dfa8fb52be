"""Several volume services, each of its own host, that serve one backend at the same time."""

import os

from tests.services import daemons


class Cluster(daemons.Daemons):
    """Processes volume-N instead of one volume service, and a backend of files in a directory that they share."""

    def __init__(self, database_url, transport_url, members=2, changes=None):
        super().__init__(database_url, transport_url, "nfs", {
            "nfs": {"cluster": "blue", "nas_host": "192.0.2.7", "nas_share_path": "/volumes"}, **(changes or {})})
        self.members = [f"volume-{number}" for number in range(members)]
        del self.processes["volume"]
        for name in self.members:
            own = self.directory.make(f"{name}.conf", daemons.as_text({"DEFAULT": {"host": name}}))
            process = self.processes[name] = self._process("volume")
            process.name, process.argv = name, [*process.argv, "--config-file", own]
            process.log = os.path.join(self.directory.path, f"{name}.log")

    def _reported(self, name):
        if name not in self.members:
            return super()._reported(name)
        rows = self.request("GET", f"/os-services?host={name}@nfs")[1]["services"]
        return [row["backend_state"] for row in rows if (row["updated_at"] or "") >= self._started[name]] == ["up"]

    def run(self):
        """Start all processes and wait until they work."""
        return self.start(tuple(self.processes))
