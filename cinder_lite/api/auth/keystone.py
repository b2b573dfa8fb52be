"""The strategy keystone: tokens are validated by keystonemiddleware, and service tokens beside them."""

import webob
from keystoneauth1 import exceptions, loading
from keystonemiddleware import auth_token, opts

from cinder_lite import context

GROUP = "keystone_authtoken"
CONFIRMED = "Confirmed"
#: What logging in with a password needs: one option of each row.
PASSWORD = (("auth_url",), ("username", "user_id"), ("password",),
            ("project_name", "project_id", "system_scope", "domain_id", "domain_name"))
#: An option that is a name needs the domain in which it is one.
DOMAINS = {"username": ("user_domain_name", "user_domain_id", "default_domain_name", "default_domain_id"),
           "project_name": ("project_domain_name", "project_domain_id", "default_domain_name", "default_domain_id")}


class Keystone:
    """Asks keystonemiddleware, which asks Keystone or its cache, what a token is worth."""

    def __init__(self, conf):
        _register(conf)
        self._service_roles = frozenset(conf[GROUP].service_token_roles)
        self._middleware = auth_token.AuthProtocol(_accepted, {"oslo_config_config": conf})

    def __call__(self, http, request_id, global_id):
        """A Context, or the middleware's (status, headers, body) for a request that it refuses."""
        answer = http.get_response(self._middleware)
        environ = http.environ
        if answer.status_int != 200 or environ.get("HTTP_X_IDENTITY_STATUS") != CONFIRMED:
            return answer.status_int, _kept(answer.headerlist), answer.body
        ctx = context.Context.from_environ(environ, request_id=request_id, global_request_id=global_id)
        # A service speaks for the user only with one of these roles, whatever service_token_roles_required says.
        if not self._service_roles.intersection(ctx.service_roles):
            ctx.service_roles = []
        return ctx


def _accepted(environ, start_response):
    """The application behind the middleware: reached by requests that may go on, of which it says nothing."""
    if environ.get("HTTP_X_IDENTITY_STATUS") != CONFIRMED:
        return webob.exc.HTTPUnauthorized(json_body={"error": {
            "code": 401, "title": "Unauthorized", "message": "The request needs a token."}})(environ, start_response)
    start_response("200 OK", [])
    return []


def _kept(headers):
    """Those of the middleware's headers that the application does not set itself."""
    return [(name, value) for name, value in headers if name.lower() != "content-length"]


def _register(conf):
    for group, options in opts.list_auth_token_opts():
        conf.register_opts(options, group=group)
    conf.set_default("service_token_roles_required", True, group=GROUP)


def incomplete(conf):
    """What is missing in [keystone_authtoken], as one sentence, or None."""
    _register(conf)
    # The options of logging in may be kept in another section.
    loading.register_auth_conf_options(conf, GROUP)
    section = conf[GROUP].auth_section or GROUP
    loading.register_auth_conf_options(conf, section)
    kind = conf[section].auth_type
    if not kind:
        return _needs(section, "auth_type", "such as password, auth_url, username, password, user_domain_name, "
                                            "project_name and project_domain_name")
    try:
        loader = loading.get_plugin_loader(kind)
    except exceptions.NoMatchingPlugin:
        return f"[{section}] auth_type is {kind}, which no plugin of keystoneauth is called; password is what is usual"
    conf.register_opts(loading.get_auth_plugin_conf_options(loader), group=section)
    if kind in ("password", "v3password"):
        absent = list(_absent(conf[section]))
        if absent:
            return _needs(section, *absent)
    try:
        loading.load_auth_from_conf_options(conf, GROUP)
    except exceptions.MissingRequiredOptions as error:
        return _needs(section, *(option.dest for option in error.options))
    try:
        Keystone(conf)
    except auth_token.ConfigurationError as error:
        return f"auth_strategy is keystone, but [{GROUP}] cannot be used: {error}"
    return None


def _absent(section):
    """The options that a login by password lacks."""
    for row in PASSWORD:
        given = [name for name in row if section.get(name)]
        if not given:
            yield " or ".join(row)
        elif given[0] in DOMAINS and not any(section.get(name) for name in DOMAINS[given[0]]):
            yield DOMAINS[given[0]][0]


def _needs(section, *names):
    return f"auth_strategy is keystone, but [{section}] is incomplete: it needs {', '.join(names)}"
