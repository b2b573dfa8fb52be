"""An attaching host with os-brick: `python -m tests.storage.brick` on that host serves requests.

A request is a line of JSON, [verb, argument]. The response is a line of JSON too: {"result": ...} or {"error": ...}.
The verbs are connector (of the host's address; describes the host), connect, extend, disconnect and force (of an
attachment's connection information).
"""

import json
import os
import socket
import socketserver
import sys

PORT = 91


class Host:
    """The client's side: an attaching host, at its address in the control network."""

    def __init__(self, address):
        self._address = address

    def __call__(self, verb, argument):
        with socket.create_connection((self._address, PORT),
                                      timeout=600) as connection, connection.makefile("rw") as file:
            file.write(json.dumps([verb, argument]) + "\n")
            file.flush()
            answer = json.loads(file.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        verb, argument = json.loads(self.rfile.readline())
        try:
            answer = {"result": _attend(verb, argument)}
        except Exception as error:
            # The outermost loop of this process: the test decides what an error means.
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def _attend(verb, argument):
    from os_brick.initiator import connector

    if verb == "connector":
        return connector.get_connector_properties("", argument, False, False)
    initiator = connector.InitiatorConnector.factory(argument["driver_volume_type"], "", device_scan_attempts=5)
    if verb in ("disconnect", "force"):
        return initiator.disconnect_volume(argument, None, force=verb == "force")
    return getattr(initiator, f"{verb}_volume")(argument)


def main():
    import os_brick
    from oslo_concurrency import lockutils
    from oslo_config import cfg
    from oslo_privsep import priv_context

    lockutils.set_defaults("/run/lock")
    cfg.CONF([], project="brick")
    os_brick.setup(cfg.CONF)
    # We are root: its helper is started without sudo.
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    priv_context.init(root_helper=["env"])
    with socketserver.TCPServer(("0.0.0.0", PORT), _Handler) as server:
        print("serving", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
