"""The client of Glance: its requests, their credentials and retries."""

import contextlib
import itertools
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import requests
from keystoneauth1 import adapter, loading, session, token_endpoint
from keystoneauth1 import exceptions as ksa_errors
from oslo_config import cfg

from cinder_lite import context, errors
from cinder_lite.concurrency import budget, clock
from cinder_lite.conf.credentials import SERVICE_USER
from cinder_lite.image.record import Image
from cinder_lite.observe import outgoing

LOG = logging.getLogger(__name__)

#: Bytes per chunk of an image's data.
PIECE = 4 * 1024**2
#: Bytes read from the connection at a time, which a broken connection loses at most.
READ = 256 * 1024
#: Seconds between attempts: 1, 2, 4, ... up to this.
LONGEST_PAUSE = 10.0
#: Statuses that are retried.
TRANSIENT = (500, 502, 503, 504)
FAILURES = (ksa_errors.ClientException, requests.RequestException, OSError)


def pause(attempt: int) -> float:
    """Seconds to wait after `attempt` failed attempts."""
    return min(LONGEST_PAUSE, 2.0 ** (attempt - 1))


class BrokenOff(errors.Explained):
    """A download ended early; the text gives the reason."""

    for_members = errors.HIDDEN


class Glance:
    """A client of the image service; thread-safe. `pause(n)` returns the seconds to wait after n failures.

    At most `limit` requests wait at a time, any number if it is None.
    """

    def __init__(self, conf: cfg.ConfigOpts, pause: Callable[[int], float] = pause, limit: int | None = None) -> None:
        self.conf, self.pause = conf, pause
        insecure, authorities = conf.glance_api_insecure, conf.glance_ca_certificates_file
        self._session = cast(Any, session.Session(verify=False if insecure else authorities or True,
                                                  timeout=conf.glance_request_timeout))
        self._session.request = outgoing.watched(self._session.request, conf, "Glance", limit)
        self._auth = self._service_user()
        self._turn = itertools.count()

    def _service_user(self):
        """The authentication plugin of the service user, or None if none is configured."""
        for section in (SERVICE_USER, *(("keystone_authtoken",) if self.conf.auth_strategy == "keystone" else ())):
            loading.register_auth_conf_options(self.conf, section)
            plugin = loading.load_auth_from_conf_options(self.conf, section)
            if plugin is not None:
                return plugin
        return None

    # -- requests

    def show(self, ctx: context.Context, id: str) -> Image:
        """The image. Raises ImageNotFound."""
        return Image.read(self._ask(ctx, "GET", f"/v2/images/{id}", about=id).json())

    def find_by_name(self, ctx: context.Context, name: str) -> list[Image]:
        """The images with that name."""
        found = self._ask(ctx, "GET", "/v2/images", params={"name": f"in:\"{name}\""}).json()
        return [Image.read(one) for one in found["images"]]

    def create(self, ctx: context.Context, **fields: object) -> Image:
        """Create an image without data."""
        return Image.read(self._ask(ctx, "POST", "/v2/images", json=fields).json())

    def delete(self, ctx: context.Context, id: str) -> None:
        """Delete the image; a missing image is not an error."""
        with contextlib.suppress(errors.ImageNotFound):
            self._ask(ctx, "DELETE", f"/v2/images/{id}", about=id)

    def upload(self, ctx: context.Context, id: str, pieces: Iterable[bytes], size: int) -> None:
        """Upload the image's data, an iterable of bytes with `size` bytes in total. Not retried."""
        limit = self.conf.glance_request_timeout
        headers = {"Content-Type": "application/octet-stream", "x-openstack-image-size": str(size)}
        self._ask(ctx, "PUT", f"/v2/images/{id}/file", about=id, attempts=1, data=pieces,
                  timeout=(limit, 10 * limit), headers=headers)

    @contextlib.contextmanager
    def read(self, ctx: context.Context, id: str, start: int) -> Iterator[Iterator[bytes]]:
        """An iterator over the image's data from byte `start` on. It raises BrokenOff."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._ask(ctx, "GET", f"/v2/images/{id}/file", about=id, headers=headers, stream=True, attempts=1)
        with contextlib.closing(answer):
            yield _pieces(answer, start if answer.status_code == 200 else 0)

    # -- sending them

    def _ask(self, ctx, method, path, about=None, attempts=None, **more):
        """Glance's response. Raises ImageNotFound, BadRequest with Glance's own reason, or ImageServiceUnavailable."""
        attempts = attempts or 1 + self.conf.glance_num_retries
        for attempt in range(1, attempts + 1):
            try:
                answer = self._once(ctx, method, path, **more)
            except FAILURES as error:
                reason, detail = "it does not answer", f"{type(error).__name__}: {error}"
            else:
                if answer.status_code not in TRANSIENT:
                    return _checked(answer, method, about)
                reason = f"it answered {answer.status_code} {answer.reason}"
                detail = f"{answer.url}: {reason}"
            # The URL goes to the log alone.
            LOG.warning("request to Glance failed, %s: %s", "retrying" if attempt < attempts else "giving up", detail)
            if not budget.remaining(ctx, 1):
                break
            if attempt < attempts:
                clock.sleep(self.pause(attempt))
        raise errors.ImageServiceUnavailable(reason=reason)

    def _once(self, ctx, method, path, headers=None, **more):
        server = self._server()
        auth, who = self._credentials(ctx, server)
        service_type, _, interface = self.conf.glance_catalog_info.split(":")
        # At least a second: requests refuses 0.
        more.setdefault("timeout", max(1, budget.remaining(ctx, self.conf.glance_request_timeout)))
        client = adapter.Adapter(self._session, auth=auth, service_type=service_type, interface=interface,
                                 endpoint_override=server)
        return client.request(path, method, raise_exc=False, log=False, authenticated=auth is not None,
                              headers={**who, **(headers or {})}, **more)

    def _server(self):
        """The next of the configured servers, None to look it up in the service catalog."""
        servers = self.conf.glance_api_servers
        if not servers:
            if self._auth is None:
                raise errors.NoImageService(
                    reason="set glance_api_servers to its URL, or [service_user] to find it in Keystone")
            return None
        return servers[next(self._turn) % len(servers)].strip().rstrip("/").removesuffix("/v2")

    def _credentials(self, ctx, server):
        """(auth plugin, headers): the user's token if there is one, else the service user's, else the user's name."""
        if ctx.auth_token and (server or self._auth):
            endpoint = server or self._session.get_endpoint(auth=self._auth, service_type="image")
            return token_endpoint.Token(endpoint, ctx.auth_token), {}
        if self._auth is not None:
            return self._auth, {}
        roles = ",".join(ctx.roles or ("admin",) if ctx.is_admin else ctx.roles or ())
        return None, {"X-Identity-Status": "Confirmed", "X-User-Id": ctx.user_id or "",
                      "X-Project-Id": ctx.project_id or "", "X-Roles": roles}


def _checked(answer, method, about):
    if answer.ok:
        return answer
    if answer.status_code in (404, 410) and about:
        raise errors.ImageNotFound(id=about)
    raise errors.BadRequest(f"The image service refused {method}{f' of image {about}' if about else ''}: "
                            f"{answer.status_code} {_reason(answer)}")


def _reason(answer):
    """The text of Glance's HTML error page, on one line."""
    text = re.sub(r"<[^<>]*>", " ", answer.text)
    return " ".join(text.split()).removeprefix(f"{answer.status_code} {answer.reason}").strip() or answer.reason


def _pieces(answer, skip):
    """The data of a response without its first `skip` bytes, in chunks of PIECE bytes; the last may be shorter."""
    held = bytearray()
    try:
        for data in answer.iter_content(READ):
            if skip:
                skip, data = max(0, skip - len(data)), data[skip:]
            held += data
            while len(held) >= PIECE:
                yield bytes(held[:PIECE])
                del held[:PIECE]
    except FAILURES as error:
        if held:
            yield bytes(held)
        raise BrokenOff(f"{type(error).__name__}: {error}") from error
    if held:
        yield bytes(held)
