"""Selects the authentication strategy and checks the scope of tokens.

A strategy identifies the requester of a request, or responds to the request itself.
"""

from typing import Protocol

import webob
from oslo_config import cfg

from cinder_lite import context, errors
from cinder_lite.api import policy, proxies, query_values
from cinder_lite.api.fault import Response
from cinder_lite.api.route import Route

LOOPBACK = ("127.", "::1", "localhost")


class Strategy(Protocol):
    """Identifies the requester: returns a Context, or the response to a request that it refuses."""

    def __call__(self, http: webob.Request, request_id: str,
                 global_id: str | None) -> context.Context | Response: ...


class NoAuth:
    """Accepts any token `user:project` (or `user`, for the project of that name), always as an administrator."""

    def __call__(self, http: webob.Request, request_id: str, global_id: str | None) -> context.Context | Response:
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


def load(conf: cfg.ConfigOpts) -> Strategy:
    """The strategy that auth_strategy names. The libraries of the others are not imported, which saves memory."""
    if conf.auth_strategy == "keystone":
        from cinder_lite.api.auth import keystone

        return keystone.Keystone(conf)
    if conf.auth_strategy == "http_basic":
        from cinder_lite.api.auth import http_basic

        return http_basic.HTTPBasic(conf)
    return NoAuth()


def check_configuration(conf: cfg.ConfigOpts) -> None:
    """Raise Misconfigured when the API cannot be served with this configuration of auth_strategy."""
    reason = configuration_error(conf)
    if reason:
        raise errors.Misconfigured(reason)


def configuration_error(conf: cfg.ConfigOpts) -> str | None:
    """Why the API cannot be served with this configuration of auth_strategy and of proxies, or None."""
    reason = proxies.configuration_error(conf)
    if reason:
        return reason
    if conf.auth_strategy == "keystone":
        from cinder_lite.api.auth import keystone

        return keystone.configuration_error(conf)
    if conf.auth_strategy == "http_basic":
        from cinder_lite.api.auth import http_basic

        return http_basic.configuration_error(conf)
    if not is_loopback(conf.osapi_volume_listen) and not conf.allow_noauth_anywhere:
        return (f"auth_strategy is noauth, which accepts every token, but osapi_volume_listen is "
                f"{conf.osapi_volume_listen}: listen on 127.0.0.1, choose another strategy, or set "
                "allow_noauth_anywhere = true")
    return None


def is_loopback(address: str) -> bool:
    return address.startswith(LOOPBACK)


def expect_scope(ctx: context.Context) -> None:
    """Raise Forbidden for a token that is neither a project's nor a system administrator's.

    Raises BadRequest for ids that are too long to be stored.
    """
    for subject, id in (("project", ctx.project_id), ("user", ctx.user_id)):
        query_values.check_length(f"The token's {subject}", id)
    if ctx.project_id is None and not (ctx.system_scope and ctx.is_admin):
        raise errors.Forbidden("The token has no project; ask for one that is scoped to a project.")


def expect_project(ctx: context.Context, route: Route) -> None:
    """Raise Forbidden for a token without a project where the operation needs one.

    System administrators may read, and use the operations that only administrators may use.
    """
    if ctx.project_id is None and route.method != "GET" and not policy.is_for_administrators(route.policy):
        raise errors.Forbidden("The token has no project, which this operation needs; ask for one that is scoped to a "
                               "project.")
