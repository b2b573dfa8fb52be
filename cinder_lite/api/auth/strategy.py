"""Who asks: each strategy makes a context of a request, or answers it itself."""

from cinder_lite import context, errors
from cinder_lite.api import policy, proxies, words

LOOPBACK = ("127.", "::1", "localhost")


class NoAuth:
    """Believes the token `user:project` (or `user`, who then is the project too), always as an administrator."""

    def __init__(self, _conf=None):
        pass

    def __call__(self, http, request_id, global_id):
        """A Context, or (status, headers, body) for a request without a token."""
        token = http.headers.get("X-Auth-Token")
        if token is None:
            user = http.headers.get("X-Auth-User", "admin")
            project = http.headers.get("X-Auth-Project-Id", "admin")
            return 204, [("X-Auth-Token", f"{user}:{project}"),
                         ("X-Server-Management-Url", f"{http.host_url}{http.path.rstrip('/')}/{project}")], b""
        user, _, project = token.partition(":")
        return context.Context(user_id=user, project_id=project or user, is_admin=True, roles=["admin"],
                               service_roles=["service"], request_id=request_id, global_request_id=global_id)


def strategy(conf):
    """What auth_strategy names. The libraries of the others are not even imported."""
    if conf.auth_strategy == "keystone":
        from cinder_lite.api.auth import keystone

        return keystone.Keystone(conf)
    if conf.auth_strategy == "http_basic":
        from cinder_lite.api.auth import http_basic

        return http_basic.HTTPBasic(conf)
    return NoAuth()


def expect_usable(conf):
    """Raise Misconfigured when the API cannot be served with this configuration of auth_strategy."""
    reason = wrong(conf)
    if reason:
        raise errors.Misconfigured(reason)


def wrong(conf):
    """Why the API cannot be served with this configuration of auth_strategy and of proxies, or None."""
    if proxies.wrong(conf):
        return proxies.wrong(conf)
    if conf.auth_strategy == "keystone":
        from cinder_lite.api.auth import keystone

        return keystone.incomplete(conf)
    if conf.auth_strategy == "http_basic":
        from cinder_lite.api.auth import http_basic

        return http_basic.unusable(conf)
    if not is_loopback(conf.osapi_volume_listen) and not conf.allow_noauth_anywhere:
        return (f"auth_strategy is noauth, which believes everybody, but osapi_volume_listen is "
                f"{conf.osapi_volume_listen}: listen on 127.0.0.1, choose another strategy, or set "
                "allow_noauth_anywhere = true")
    return None


def is_loopback(address):
    return address.startswith(LOOPBACK)


def expect_scope(ctx):
    """Raise Forbidden for a token that is neither a project's nor a system administrator's, BadRequest for endless names."""
    for what, name in (("project", ctx.project_id), ("user", ctx.user_id)):
        if len(name or "") > words.LONGEST:
            words.short(f"The token's {what}", name)
    if ctx.project_id is None and not (ctx.system_scope and ctx.is_admin):
        raise errors.Forbidden("The token has no project; ask for one that is scoped to a project.")


def expect_project(ctx, route):
    """Raise Forbidden where a token without a project would do what is done within one.

    System administrators may read, and do what only administrators may.
    """
    if ctx.project_id is None and route.method != "GET" and not policy.is_for_administrators(route.policy):
        raise errors.Forbidden("The token has no project, in which this is done; ask for one that is scoped to a project.")
