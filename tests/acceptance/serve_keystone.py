"""Serves Keystone with gunicorn: serve_keystone.py PORT, in its environment, with OS_KEYSTONE_CONFIG_DIR set."""

import sys

from gunicorn.app import base


class Server(base.BaseApplication):
    """One worker that answers one request at a time, as SQLite needs it; configured by arguments alone."""

    def __init__(self, port):
        self.port = port
        super().__init__()

    def load_config(self):
        settings = {"bind": f"127.0.0.1:{self.port}", "worker_class": "gthread", "threads": 1, "timeout": 300,
                    "graceful_timeout": 1, "control_socket_disable": True}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        from keystone.wsgi import api

        return api.application


if __name__ == "__main__":
    port = int(sys.argv[1])
    # Keystone reads its own options from what is left of the command line.
    sys.argv = ["keystone"]
    Server(port).run()
