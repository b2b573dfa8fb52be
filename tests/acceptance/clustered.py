"""The service behind Keystone with two members of a cluster, which share both backends, over MariaDB and RabbitMQ.

CINDER_LITE_CLUSTERED=1 lets the tests of this tier that need only an installation, such as Tempest's, run on it.
"""

import contextlib
import os

from tests.acceptance.installation import BACKENDS, Installation
from tests.meta.source import TOP
from tests.services import servers
from tests.services.daemons import as_text
from tests.services.processes import Process


class Clustered(Installation):
    """One process with all services, on the host `here`, and a volume service on the host `there`."""

    protocol = "nfs"

    def __init__(self, keystone, changes=None):
        self._servers = contextlib.ExitStack()
        database, broker = (self._servers.enter_context(kind()).start() for kind in (
            servers.MariaDB, servers.RabbitMQ))
        database.emptied()
        shared = {name: {"volume_driver": "nfs", "cluster": "blue", "nas_host": "192.0.2.7",
                         "nas_share_path": f"/{name}"} for name in BACKENDS}
        super().__init__(keystone, {
            "DEFAULT": {"transport_url": broker.url}, "database": {"connection": database.url}, **shared,
            **(changes or {})})
        own = self.directory.make("there.conf", as_text({"DEFAULT": {"host": "there"}}))
        self.member = Process("cinder-lite-volume", [*self._argv("volume"), "--config-file", own],
                              os.path.join(self.directory.path, "there.log"), {"PYTHONPATH": str(TOP)})

    def start(self):
        super().start()
        self.member.start()
        return self

    def __exit__(self, *exception):
        self.member.stop()
        super().__exit__(*exception)
        self._servers.close()
