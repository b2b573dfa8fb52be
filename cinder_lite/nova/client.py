"""What Nova says and is told: the door to the compute service, which has volumes in its servers."""

import contextlib

from cinder_lite import errors

GROUP = "nova"
#: The first microversion that names the attachment.
MICROVERSION = "2.89"
#: What Nova is told of a server's volume -> the first microversion that knows it.
EXTENDED, REIMAGED = "volume-extended", "volume-reimaged"
EVENTS = {EXTENDED: "2.51", REIMAGED: "2.93"}


class NovaRefused(errors.Explained):
    """Nova does not do what it was asked; the text is its own."""

    for_members = errors.HIDDEN


class Nova:
    """Asks with the login of the section [nova]; without one there is nobody to ask."""

    def __init__(self, conf):
        self.conf, self._adapter = conf, None

    @property
    def is_there(self):
        """Whether there is a login."""
        return self._connected() is not None

    def may_use(self, server_id, volume_id, attachment_id):
        """Whether the server may still have the volume by that attachment. True when nobody can be asked.

        Raises Unavailable when Nova does not answer.
        """
        from keystoneauth1 import exceptions

        adapter = self._connected()
        if adapter is None:
            return True
        try:
            with _asking(f"whether server {server_id} still uses the volume", exceptions.NotFound):
                answer = adapter.get(f"/servers/{server_id}/os-volume_attachments/{volume_id}",
                                     microversion=MICROVERSION)
        except exceptions.NotFound:
            return False
        return answer.json()["volumeAttachment"].get("attachment_id") in (None, attachment_id)

    def tell(self, event, servers, volume_id, succeeded):
        """Tell one of EVENTS about a volume that the servers have. Raises Unavailable when Nova does not take it."""
        from keystoneauth1 import exceptions

        said = {"name": event, "tag": volume_id, "status": "completed" if succeeded else "failed"}
        body = {"events": [{**said, "server_uuid": server_id} for server_id in servers]}
        # Not found: none of the servers is there any more.
        with contextlib.suppress(exceptions.NotFound), _asking("to look at a volume again", exceptions.NotFound):
            self._connected().post("/os-server-external-events", json=body, microversion=EVENTS[event])

    def swap(self, server_id, volume_id, new_id):
        """Ask Nova to copy a server's volume and to use the copy from then on. Raises NovaRefused and Unavailable."""
        from keystoneauth1 import exceptions

        answers = exceptions.BadRequest, exceptions.Forbidden, exceptions.NotFound, exceptions.Conflict
        body = {"volumeAttachment": {"volumeId": new_id}}
        try:
            with _asking(f"to copy a volume of server {server_id}", *answers):
                self._connected().put(f"/servers/{server_id}/os-volume_attachments/{volume_id}", json=body)
        except answers as error:
            raise NovaRefused(f"Nova does not copy the volume for server {server_id}: {_said(error)}") from error

    def _connected(self):
        if self._adapter is None:
            from keystoneauth1 import loading

            for register in (loading.register_auth_conf_options, loading.register_session_conf_options,
                             loading.register_adapter_conf_options):
                register(self.conf, GROUP)
            auth = loading.load_auth_from_conf_options(self.conf, GROUP)
            if auth is not None:
                session = loading.load_session_from_conf_options(self.conf, GROUP)
                self._adapter = loading.load_adapter_from_conf_options(
                    self.conf, GROUP, session=session, auth=auth, service_type="compute")
        return self._adapter


@contextlib.contextmanager
def _asking(what, *answers):
    """Nova cannot be asked when it fails otherwise than by `answers`, which are the caller's to understand."""
    from keystoneauth1 import exceptions

    try:
        yield
    except answers:
        raise
    except exceptions.ClientException as error:
        raise errors.Unavailable(f"Nova could not be asked {what}: {type(error).__name__}.") from error


def _said(error):
    """What Nova says in the body of an answer, {"badRequest": {"message": ...}}; keystoneauth does not look there."""
    with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
        return next(iter(error.response.json().values()))["message"]
    return str(error)


def options():
    """The options of the section, for the sample of the configuration."""
    from keystoneauth1 import loading

    return [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options(),
            *loading.get_adapter_conf_options(include_deprecated=False),
            *loading.get_auth_plugin_conf_options("password")]
