"""The strategy keystone: validates tokens and service tokens with keystonemiddleware."""

from collections.abc import Iterator
from typing import Any

import webob
from keystoneauth1 import exceptions, loading
from keystonemiddleware import auth_token, opts
from oslo_config import cfg

from cinder_lite import context, errors
from cinder_lite.api.fault import Response
from cinder_lite.observe import outgoing

GROUP = "keystone_authtoken"
CONFIRMED = "Confirmed"
#: Seconds to wait for Keystone: the library's default is no limit.
TIMEOUT = 10
#: The options that a login with a password needs: one of each row.
PASSWORD = (("auth_url",), ("username", "user_id"), ("password",),
            ("project_name", "project_id", "system_scope", "domain_id", "domain_name"))
#: An option that is a name needs the name's domain.
DOMAINS = {"username": ("user_domain_name", "user_domain_id", "default_domain_name", "default_domain_id"),
           "project_name": ("project_domain_name", "project_domain_id", "default_domain_name", "default_domain_id")}


class Keystone:
    """Validates tokens by keystonemiddleware, which asks Keystone or its cache."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        _register(conf)
        self._service_roles = frozenset(conf[GROUP].service_token_roles)
        self._middleware = auth_token.AuthProtocol(_accepted, {"oslo_config_config": conf})
        # Not its session: those who wait for the token of the service itself have no request under way.
        server = self._middleware._identity_server
        server.verify_token = outgoing.watched(server.verify_token, conf, "Keystone", conf.rpc_max_waiting)

    def __call__(self, http: webob.Request, request_id: str, global_id: str | None) -> context.Context | Response:
        """A Context, or the middleware's (status, headers, body) for a request that it refuses."""
        try:
            answer = http.get_response(self._middleware)
        except exceptions.ConnectTimeout as error:  # which the middleware forgets among those that it answers
            raise errors.Unavailable("Keystone did not answer in time; try again later.") from error
        environ = http.environ
        if answer.status_int != 200 or environ.get("HTTP_X_IDENTITY_STATUS") != CONFIRMED:
            return answer.status_int, _without_length(answer.headerlist), answer.body
        ctx = context.Context.from_environ(environ, request_id=request_id, global_request_id=global_id)
        # A service acts on behalf of the user only with one of these roles, whatever service_token_roles_required is.
        if not self._service_roles.intersection(ctx.service_roles):
            ctx.service_roles = []
        return ctx


def _accepted(environ, start_response):
    """The application behind the middleware, which gets the accepted requests; its response is not used."""
    if environ.get("HTTP_X_IDENTITY_STATUS") != CONFIRMED:
        return webob.exc.HTTPUnauthorized(json_body={"error": {
            "code": 401, "title": "Unauthorized", "message": "The request needs a token."}})(environ, start_response)
    start_response("200 OK", [])
    return []


def _without_length(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of the middleware without the one that the application sets itself."""
    return [(name, value) for name, value in headers if name.lower() != "content-length"]


def _register(conf: cfg.ConfigOpts) -> None:
    for group, options in opts.list_auth_token_opts():
        conf.register_opts(options, group=group)
    conf.set_default("service_token_roles_required", True, group=GROUP)
    conf.set_default("http_connect_timeout", TIMEOUT, group=GROUP)


def configuration_error(conf: cfg.ConfigOpts) -> str | None:
    """What is missing in [keystone_authtoken], as one sentence, or None."""
    _register(conf)
    # The login's options may be in another section.
    loading.register_auth_conf_options(conf, GROUP)
    section = conf[GROUP].auth_section or GROUP
    loading.register_auth_conf_options(conf, section)
    kind = conf[section].auth_type
    if not kind:
        return _needs(section, "auth_type", "such as password, auth_url, username, password, user_domain_name, "
                                            "project_name and project_domain_name")
    try:
        loader: Any = loading.get_plugin_loader(kind)
    except exceptions.NoMatchingPlugin:
        return f"[{section}] auth_type is {kind}, which is no plugin of keystoneauth; the usual one is password"
    conf.register_opts(loading.get_auth_plugin_conf_options(loader), group=section)
    if kind in ("password", "v3password"):
        missing = list(_missing(conf[section]))
        if missing:
            return _needs(section, *missing)
    try:
        loading.load_auth_from_conf_options(conf, GROUP)
    except exceptions.MissingRequiredOptions as error:
        return _needs(section, *(option.dest for option in error.options))
    try:
        Keystone(conf)
    except auth_token.ConfigurationError as error:
        return f"auth_strategy is keystone, but [{GROUP}] cannot be used: {error}"
    return None


def _missing(section: Any) -> Iterator[str]:
    """The options that a login with a password lacks."""
    for row in PASSWORD:
        given = [name for name in row if section.get(name)]
        if not given:
            yield " or ".join(row)
        elif given[0] in DOMAINS and not any(section.get(name) for name in DOMAINS[given[0]]):
            yield DOMAINS[given[0]][0]


def _needs(section: str, *names: str) -> str:
    return f"auth_strategy is keystone, but [{section}] is incomplete: it needs {', '.join(names)}"
