"""A fake Nova: an HTTP server that records requests and answers like the API of Nova."""

import contextlib
import http.server
import json
import re
import threading
import urllib.parse

from tests.services.processes import until

ATTACHED = re.compile(r"/servers/(?P<server>[^/]+)/os-volume_attachments/(?P<volume>[^/]+)")


class _Answers(http.server.BaseHTTPRequestHandler):
    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = urllib.parse.urlsplit(self.path).path.removeprefix("/v2.1")
        self.server.nova.asked.append((self.command, path, body, self.headers))
        status, document = self.server.nova.answer(self.command, path, body)
        text = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_arguments):
        pass


class Nova:
    """Serves while the `with` block lasts, at `url`.

    `asked` is [(method, path, body, headers)]. `uses` is {(server, volume): attachment} of attached volumes; a
    server may have any other volume. `gone` are unknown servers. `swap(server, old, new)` is called in a separate
    thread when the service requests a swap; without it swaps are refused. `failing` makes every response a 503.
    """

    def __init__(self):
        self.asked, self.uses, self.gone, self.swap, self.failing = [], {}, set(), None, False
        self.failures = []

    def answer(self, method, path, body):
        if self.failing:
            return 503, {}
        if path in ("", "/"):
            links = [{"rel": "self", "href": f"{self.url}/"}]
            return 200, {"version": {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1",
                                     "links": links}}
        if path == "/os-server-external-events":
            known = [one for one in body["events"] if one["server_uuid"] not in self.gone]
            return (200, {"events": [{**one, "code": 200} for one in known]}) if known else (404, {})
        found = ATTACHED.fullmatch(path)
        if found:
            return self._attachment(method, found["server"], found["volume"], body)
        if path == "/limits":
            return 200, {"limits": {"absolute": {}, "rate": []}}
        if path in ("/servers", "/servers/detail"):
            return 200, {"servers": []}
        id = path.removeprefix("/servers/")
        return 200, {"server": {"id": id, "name": f"server {id}", "status": "ACTIVE"}}

    def _attachment(self, method, server, volume, body):
        if method == "GET":
            held = {"attachment_id": self.uses[server, volume]} if (server, volume) in self.uses else {}
            return (404, {}) if server in self.gone else (200, {"volumeAttachment": {"volumeId": volume, **held}})
        if self.swap is None:
            return 409, {"conflictingRequest": {"code": 409, "message": "not while the server is paused"}}
        threading.Thread(target=self._swap, args=(server, volume, body["volumeAttachment"]["volumeId"]),
                         daemon=True).start()
        return 202, None

    def _swap(self, *words):
        try:
            self.swap(*words)
        except Exception as error:  # noqa: BLE001 - the thread's end is the test's to look at
            self.failures.append(error)

    def events(self, volume, name=None):
        """Return the events of a volume: [(name, server, status)]."""
        events = [one for method, path, body, _ in list(self.asked) if path == "/os-server-external-events"
                for one in body["events"]]
        return [(one["name"], one["server_uuid"], one["status"]) for one in events
                if one["tag"] == volume and name in (None, one["name"])]

    def received(self, volume, name):
        """The events of that name about a volume, once there are some."""
        return until(lambda: self.events(volume, name), what=f"Nova receiving {name} of volume {volume}")

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
        self._server.nova = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2.1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(OSError):
            self._server.shutdown()
        self._server.server_close()
        assert self.failures == []
