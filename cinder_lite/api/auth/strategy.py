"""Selects the authentication strategy, which identifies the requester of a request or responds to it itself."""

from typing import Protocol

import webob
from oslo_config import cfg

from cinder_lite import context, errors
from cinder_lite.api import proxies
from cinder_lite.api.auth import noauth
from cinder_lite.api.fault import Response


class Strategy(Protocol):
    """Identifies the requester: returns a Context, or the response to a request that it refuses."""

    def __call__(self, http: webob.Request, request_id: str, global_id: str | None) -> context.Context | Response: ...


def load(conf: cfg.ConfigOpts) -> Strategy:
    """The strategy that auth_strategy names. The libraries of the others are not imported, which saves memory."""
    if conf.auth_strategy == "keystone":
        from cinder_lite.api.auth import keystone

        return keystone.Keystone(conf)
    if conf.auth_strategy == "http_basic":
        from cinder_lite.api.auth import http_basic

        return http_basic.HTTPBasic(conf)
    return noauth.NoAuth()


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
    return noauth.configuration_error(conf)
