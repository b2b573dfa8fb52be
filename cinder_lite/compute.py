"""What Nova says: the door to the compute service, asked before a user takes a volume away from a server."""

from cinder_lite import errors

GROUP = "nova"
#: The first microversion that names the attachment.
MICROVERSION = "2.89"


class Nova:
    """Asks with the login of the section [nova]; without one there is nobody to ask."""

    def __init__(self, conf):
        self.conf, self._adapter = conf, None

    def may_use(self, server_id, volume_id, attachment_id):
        """Whether the server may still have the volume by that attachment. True when nobody can be asked.

        Raises Unavailable when Nova does not answer.
        """
        from keystoneauth1 import exceptions

        adapter = self._connected()
        if adapter is None:
            return True
        try:
            answer = adapter.get(f"/servers/{server_id}/os-volume_attachments/{volume_id}", microversion=MICROVERSION)
        except exceptions.NotFound:
            return False
        except exceptions.ClientException as error:
            raise errors.Unavailable(f"Nova could not be asked whether server {server_id} still uses the volume: "
                                     f"{type(error).__name__}.") from error
        return answer.json()["volumeAttachment"].get("attachment_id") in (None, attachment_id)

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


def options():
    """The options of the section, for the sample of the configuration."""
    from keystoneauth1 import loading

    return [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options(),
            *loading.get_adapter_conf_options(include_deprecated=False),
            *loading.get_auth_plugin_conf_options("password")]
