"""The strategy noauth: accepts every token, for a service that only trusted hosts can reach."""

import webob
from oslo_config import cfg

from cinder_lite import context
from cinder_lite.api.fault import Response

LOOPBACK = ("127.", "::1", "localhost")


class NoAuth:
    """Accepts any token `user:project` (or `user`, for the project of that name), always as an administrator."""

    def __call__(self, http: webob.Request, request_id: str, global_id: str | None) -> context.Context | Response:
        """A Context, or (status, headers, body) for a request without a token."""
        token = http.environ.get("HTTP_X_AUTH_TOKEN")
        if token is None:
            user = http.headers.get("X-Auth-User", "admin")
            project = http.headers.get("X-Auth-Project-Id", "admin")
            return 204, [("X-Auth-Token", f"{user}:{project}"),
                         ("X-Server-Management-Url", f"{http.host_url}{http.path.rstrip('/')}/{project}")], b""
        user, _, project = token.partition(":")
        return context.Context(user_id=user, project_id=project or user, is_admin=True, roles=["admin"],
                               service_roles=["service"], request_id=request_id, global_request_id=global_id)


def configuration_error(conf: cfg.ConfigOpts) -> str | None:
    """Why the strategy must not be used with this configuration, or None."""
    if not conf.osapi_volume_listen.startswith(LOOPBACK) and not conf.allow_noauth_anywhere:
        return (f"auth_strategy is noauth, which accepts every token, but osapi_volume_listen is "
                f"{conf.osapi_volume_listen}: listen on 127.0.0.1, choose another strategy, or set "
                "allow_noauth_anywhere = true")
    return None
