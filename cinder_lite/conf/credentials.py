"""Sections with credentials for other services, whose options keystoneauth declares and registers."""

from oslo_config import cfg

NOVA, SERVICE_USER = "nova", "service_user"


def options() -> dict[str, list[cfg.Opt]]:
    """{section: options}, for the sample configuration."""
    # Only a process that calls such a service needs it: 4 MB.
    from keystoneauth1 import loading

    login = [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options()]
    password = loading.get_auth_plugin_conf_options("password")
    endpoint = loading.get_adapter_conf_options(include_deprecated=False)
    return {NOVA: [*login, *endpoint, *password], SERVICE_USER: [*login, *password]}
