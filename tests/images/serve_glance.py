"""Serves Glance with gunicorn: serve_glance.py PORT, in its environment, with OS_GLANCE_CONFIG_DIR set."""

import sys

from gunicorn.app import base


class Server(base.BaseApplication):
    """One worker of several threads, configured by arguments alone."""

    def __init__(self, port):
        self.port = port
        super().__init__()

    def load_config(self):
        settings = {"bind": f"127.0.0.1:{self.port}", "worker_class": "gthread", "threads": 8, "timeout": 300,
                    "graceful_timeout": 1, "control_socket_disable": True}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        from glance.wsgi import api

        return api.application


if __name__ == "__main__":
    port = int(sys.argv[1])
    # Glance reads its own options from what is left of the command line.
    sys.argv = ["glance-api"]
    Server(port).run()
