"""The client of Nova: attachment checks, external events and volume swaps."""

import contextlib
from collections.abc import Iterable

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.conf.credentials import NOVA
from cinder_lite.observe import outgoing

#: The first microversion that returns the attachment's id.
MICROVERSION = "2.89"
#: External events about a server's volume -> the first microversion that supports them.
EXTENDED, REIMAGED = "volume-extended", "volume-reimaged"
EVENTS = {EXTENDED: "2.51", REIMAGED: "2.93"}


class NovaRefused(errors.Explained):
    """Nova refused a request; the text is Nova's message."""

    for_members = errors.HIDDEN


class Nova:
    """Calls Nova with the credentials of the section [nova]; without credentials Nova is not used.

    At most `limit` requests wait at a time, any number if it is None.
    """

    def __init__(self, conf: cfg.ConfigOpts, limit: int | None = None) -> None:
        self.conf, self._limit, self._adapter = conf, limit, None

    @property
    def is_configured(self) -> bool:
        """Whether credentials are configured."""
        return self._connected() is not None

    def may_use(self, server_id: str, volume_id: str, attachment_id: str) -> bool:
        """Whether the server may still use the volume by that attachment. True if Nova is not configured.

        Raises Unavailable if Nova does not answer.
        """
        from keystoneauth1 import exceptions

        adapter = self._connected()
        if adapter is None:
            return True
        try:
            with _as_unavailable(f"whether server {server_id} still uses the volume", exceptions.NotFound):
                answer = adapter.get(f"/servers/{server_id}/os-volume_attachments/{volume_id}",
                                     microversion=MICROVERSION)
        except exceptions.NotFound:
            return False
        return answer.json()["volumeAttachment"].get("attachment_id") in (None, attachment_id)

    def send_event(self, event: str, servers: Iterable[str], volume_id: str, succeeded: bool) -> None:
        """Send one of EVENTS about a volume attached to the servers. Raises Unavailable if Nova does not accept it."""
        from keystoneauth1 import exceptions

        described = {"name": event, "tag": volume_id, "status": "completed" if succeeded else "failed"}
        body = {"events": [{**described, "server_uuid": server_id} for server_id in servers]}
        # Not found: none of the servers exists any more.
        with contextlib.suppress(exceptions.NotFound), _as_unavailable(f"for {event}", exceptions.NotFound):
            self._connected().post("/os-server-external-events", json=body, microversion=EVENTS[event])

    def swap(self, server_id: str, volume_id: str, new_id: str) -> None:
        """Ask Nova to copy a server's volume and to switch to the copy. Raises NovaRefused and Unavailable."""
        from keystoneauth1 import exceptions

        answers = exceptions.BadRequest, exceptions.Forbidden, exceptions.NotFound, exceptions.Conflict
        body = {"volumeAttachment": {"volumeId": new_id}}
        try:
            with _as_unavailable(f"to copy a volume of server {server_id}", *answers):
                self._connected().put(f"/servers/{server_id}/os-volume_attachments/{volume_id}", json=body)
        except answers as error:
            raise NovaRefused(f"Nova does not copy the volume for server {server_id}: {_message(error)}") from error

    def _connected(self):
        if self._adapter is None:
            from keystoneauth1 import loading

            for register in (loading.register_auth_conf_options, loading.register_session_conf_options,
                             loading.register_adapter_conf_options):
                register(self.conf, NOVA)
            auth = loading.load_auth_from_conf_options(self.conf, NOVA)
            if auth is not None:
                # keystoneauth waits without limit by default.
                session = loading.load_session_from_conf_options(
                    self.conf, NOVA, timeout=self.conf[NOVA].timeout or outgoing.TIMEOUT)
                session.request = outgoing.watched(session.request, self.conf, "Nova", self._limit)
                self._adapter = loading.load_adapter_from_conf_options(
                    self.conf, NOVA, session=session, auth=auth, service_type="compute")
        return self._adapter


@contextlib.contextmanager
def _as_unavailable(what, *answers):
    """Turn keystoneauth's errors into Unavailable, except `answers`, which the caller handles."""
    from keystoneauth1 import exceptions

    try:
        yield
    except answers:
        raise
    except exceptions.ClientException as error:
        raise errors.Unavailable(f"Nova could not be asked {what}: {type(error).__name__}.") from error


def _message(error):
    """The message in the body of Nova's response, {"badRequest": {"message": ...}}, which keystoneauth ignores."""
    with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
        return next(iter(error.response.json().values()))["message"]
    return str(error)
