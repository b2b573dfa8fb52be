"""Who may detach a volume from a server, by the answers of Nova; Nova is an HTTP server with one attachment."""

import http.server
import json
import threading
import types
import uuid

import pytest

from cinder_lite import conf, context, errors
from cinder_lite.nova.detach_guard import DetachGuard
from tests.services.processes import free_port

SERVER, VOLUME, ATTACHMENT = (str(uuid.uuid4()) for _ in range(3))
USER = context.Context(user_id="ann", project_id="blue", roles=["member"], overwrite=False)
SERVICE = context.Context(user_id="ann", project_id="blue", roles=["member"], service_roles=["service"],
                          overwrite=False)


class Answers(http.server.BaseHTTPRequestHandler):
    """Nova's answer to GET /servers/ID/os-volume_attachments/ID."""

    def do_GET(self):
        status, document = self.server.answer if self.path.endswith(
            f"/servers/{SERVER}/os-volume_attachments/{VOLUME}") else (404, {})
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def nova():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def detaching(tmp_path, port=None):
    file = tmp_path / "cinder.conf"
    section = f"[nova]\nauth_type = none\nendpoint_override = http://127.0.0.1:{port}\n" if port else ""
    file.write_text(f"[DEFAULT]\n{section}")
    return DetachGuard(conf.load([], files=[str(file)]))


def attachment(**values):
    return types.SimpleNamespace(**{"id": ATTACHMENT, "volume_id": VOLUME, "instance_uuid": SERVER,
                                    "connection_info": {"data": 1}, "attached_host": "h", **values})


def using(attachment_id):
    return 200, {"volumeAttachment": {"attachment_id": attachment_id, "volumeId": VOLUME}}


@pytest.mark.parametrize("row", [{"instance_uuid": None}, {"connection_info": {}, "attached_host": None}])
def test_volumes_without_a_server_may_be_detached(tmp_path, row):
    assert detaching(tmp_path).check(USER, [attachment(**row)]) is None


def test_without_nova_only_services_may(tmp_path):
    found = detaching(tmp_path)
    assert found.check(SERVICE, [attachment()]) is None
    with pytest.raises(errors.ServerUsesVolume, match=SERVER) as refused:
        found.check(USER, [attachment()])
    assert refused.value.status == 409


def test_one_of_several_is_enough_to_refuse(tmp_path):
    with pytest.raises(errors.ServerUsesVolume):
        detaching(tmp_path).check(USER, [attachment(instance_uuid=None), attachment()])


def test_nova_uses_it(tmp_path, nova):
    nova.answer = using(ATTACHMENT)
    with pytest.raises(errors.ServerUsesVolume):
        detaching(tmp_path, nova.server_address[1]).check(USER, [attachment()])


@pytest.mark.parametrize("answer", [(404, {}), using(str(uuid.uuid4()))])
def test_nova_does_not_use_it(tmp_path, nova, answer):
    nova.answer = answer
    assert detaching(tmp_path, nova.server_address[1]).check(USER, [attachment()]) is None


def test_nova_fails(tmp_path, nova):
    nova.answer = 500, {}
    with pytest.raises(errors.Unavailable, match="Nova could not be asked"):
        detaching(tmp_path, nova.server_address[1]).check(USER, [attachment()])


def test_nova_is_away(tmp_path):
    with pytest.raises(errors.Unavailable):
        detaching(tmp_path, free_port()).check(USER, [attachment()])
