"""An empty network service: Tempest lists its security groups when it removes its projects."""

import http.server
import json
import threading


class _Empty(http.server.BaseHTTPRequestHandler):
    """Every collection is there and has nothing in it."""

    def do_GET(self):
        collection = self.path.split("?")[0].rstrip("/").rpartition("/")[2]
        body = json.dumps({collection.replace("-", "_"): []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


class Network:
    """Serves while the `with` block lasts, at `url`."""

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
