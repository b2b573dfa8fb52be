"""Image jobs that wait for a Glance without an answer leave places of their backend to other jobs."""

import http.server
import json
import threading

import pytest

from tests.functional.client import Client
from tests.functional.service import Service, until

IMAGE = "5a4e4a7a-de6e-41b2-8aef-6f9913a58540"
SIZE = 1024**2
PLACES = 3
DEFAULT = (f"glance_api_servers = {{glance}}\nglance_num_retries = 0\nvolume_max_operations = {PLACES}\n"
           "quota_volumes = -1\njob_sweep_interval = 0.2\n")
SECTIONS = {"file-1": "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"}


class Glance(http.server.ThreadingHTTPServer):
    """Answers requests about images at once, and those with data when `released` is set."""

    daemon_threads = True

    def __init__(self):
        self.released, self.held, self.uploaded = threading.Event(), [], set()
        super().__init__(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(http.server.BaseHTTPRequestHandler):
    def _is_data(self):
        if not self.path.endswith("/file"):
            return False
        self.server.held.append(self.command)
        self.server.released.wait()
        return True

    def _answer(self, status, data=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _image(self, id):
        status = "active" if id == IMAGE or id in self.server.uploaded else "queued"
        return json.dumps({"id": id, "name": "i", "status": status, "size": SIZE, "disk_format": "raw",
                           "container_format": "bare", "min_disk": 0, "min_ram": 0, "visibility": "private"}).encode()

    def do_GET(self):
        self._answer(200, bytes(SIZE) if self._is_data() else self._image(self.path.split("/")[3]))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, self._image("7b4e4a7a-de6e-41b2-8aef-6f9913a58541"))

    def do_PUT(self):
        self._is_data()
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()
        self.server.uploaded.add(self.path.split("/")[3])
        self._answer(204)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def glance():
    with Glance() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def service(glance):
    with Service(default=DEFAULT.format(glance=glance.url), sections=SECTIONS, target=False) as running:
        yield running
        glance.released.set()


@pytest.fixture
def client(service):
    return Client(service.url)


def download(client):
    return client.create("volumes", size=1, imageRef=IMAGE)["id"]


def upload(client):
    id = client.made("volumes", size=1)["id"]

    def begin():
        client("POST", f"/volumes/{id}/action", {"os-volume_upload_image": {
            "image_name": "i", "disk_format": "raw", "container_format": "bare"}}, expect=202)
        return id

    return begin


@pytest.mark.parametrize(("kind", "method"), [("download", "GET"), ("upload", "PUT")])
def test_image_jobs_without_an_answer_leave_places_to_others(client, glance, kind, method):
    glance.released.clear()
    glance.held.clear()
    begun = [upload(client) if kind == "upload" else (lambda: download(client)) for _ in range(2 * PLACES)]
    ids = [begin() for begin in begun]
    until(lambda: glance.held, "a job to wait for Glance")
    assert client.made("volumes", size=1)["status"] == "available"
    client("DELETE", f"/volumes/{client.made('volumes', size=1)['id']}", expect=202)
    assert glance.held == [method], "one of three places"
    glance.released.set()
    for id in ids:
        assert client.settled("volumes", id)["status"] == "available"
