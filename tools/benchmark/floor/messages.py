"""The floor's messages, over oslo.messaging as in cinder-lite."""

import queue
import threading

import oslo_messaging
from oslo_config import cfg

EXCHANGE, HOST = "floor", "host"


def transport(url):
    """A connection to the broker with the library's defaults."""
    cfg.CONF([], default_config_files=[], default_config_dirs=[])
    oslo_messaging.set_transport_defaults(EXCHANGE)
    return oslo_messaging.get_rpc_transport(cfg.CONF, url=url)


def target(role):
    """A service's address."""
    return oslo_messaging.Target(topic=f"floor-{role}", server=HOST)


class Client:
    """Sends operations to a service."""

    def __init__(self, connection, role):
        self._client = oslo_messaging.get_rpc_client(connection, oslo_messaging.Target(topic=f"floor-{role}"))
        self._client = self._client.prepare(server=HOST if role == "volume" else None)
        self._queue = queue.SimpleQueue()
        threading.Thread(target=self._send, daemon=True).start()

    def cast(self, name, slots):
        """Send it soon."""
        self._queue.put((name, slots))

    def call(self, name, slots):
        """Send it and wait for its end."""
        return self._client.call({}, "run", name=name, slots=slots)

    def _send(self):
        while True:
            name, slots = self._queue.get()
            self._client.cast({}, "run", name=name, slots=slots)


def serve(connection, role, run):
    """Call run(name, slots) for each message, in threads."""
    class Endpoint:
        target = oslo_messaging.Target(version="1.0")

        @oslo_messaging.expose
        def run(self, _context, name, slots):
            run(name, slots)

    server = oslo_messaging.get_rpc_server(connection, target(role), [Endpoint()], executor="threading",
                                           access_policy=oslo_messaging.ExplicitRPCAccessPolicy)
    server.start()
    return server
