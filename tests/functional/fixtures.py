"""Fixtures of the gabbi files: a service on a fixed port, and its users."""

import dataclasses

from gabbi import fixture
from gabbi.handlers import base

from cinder_lite.api.auth import noauth
from tests.functional.service import Service
from tests.services.processes import free_port

PORT = free_port()
MANY = "quota_volumes = 1000\nquota_snapshots = 1000\nquota_gigabytes = 10000\nquota_backups = 100"


class Roles(noauth.NoAuth):
    """Like noauth, but X-Roles can select a requester who is not an administrator."""

    def __call__(self, http, request_id, global_id):
        ctx = super().__call__(http, request_id, global_id)
        roles = http.headers.get("X-Roles")
        if roles is None or isinstance(ctx, tuple):
            return ctx
        return type(ctx)(user_id=ctx.user_id, project_id=ctx.project_id, roles=roles.split(","),
                         is_admin="admin" in roles.split(","), request_id=request_id, overwrite=False)


@dataclasses.dataclass
class NullBackend(fixture.GabbiFixture):
    """Volumes without storage, for tests of the control plane."""

    backends = ("null-1",)
    default = MANY
    target = False

    def start_fixture(self):
        self.service = Service(port=PORT, backends=self.backends, default=self.default, target=self.target).start()
        self.service.services[-1].application.authenticate = Roles()

    def stop_fixture(self):
        self.service.stop()
        self.service.remove()


class SmallQuota(NullBackend):
    """The default limits of a project."""

    default = ""


class ShortPages(NullBackend):
    """A service behind a proxy, whose longest page is five long."""

    default = (f"{MANY}\nosapi_max_limit = 5\nosapi_max_request_body_size = 4096\n"
               "[oslo_middleware]\nenable_proxy_headers_parsing = true")


class Behind(NullBackend):
    """A service with the URL of its proxy configured."""

    default = f"{MANY}\npublic_endpoint = https://storage.example.org/block/"


class Files(NullBackend):
    """Volumes with bytes, so that they can be backed up."""

    backends = ("file-1",)
    target = True


class JSONKeys(base.ResponseHandler):
    """Which keys an object has: `$.volume: id name` all of them; `+links` at least, `-count` not these."""

    test_key_suffix = "json_keys"
    test_key_value = {}

    def action(self, test, item, value=None):
        handler = test.get_content_handler("application/json")
        keys = set(handler.extract_json_path_value(test.response_data, item))
        words = value.split()
        wanted = {word[1:] for word in words if word[0] == "+"}
        unwanted = {word[1:] for word in words if word[0] == "-"}
        exactly = {word for word in words if word[0] not in "+-"}
        test.assertFalse(wanted - keys, f"keys missing in {item}: {sorted(wanted - keys)}")
        test.assertFalse(unwanted & keys, f"keys too many in {item}: {sorted(unwanted & keys)}")
        if exactly:
            test.assertEqual(sorted(exactly), sorted(keys))
