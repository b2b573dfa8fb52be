"""Determines the client's address and the URL that it used, from the headers of trusted proxies where configured."""

import functools
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import webob
from oslo_config import cfg

#: The address of a client on a socket without addresses.
UNKNOWN = "-"
_FOR = re.compile(r'for="?(\[[^\]"]*\]|[^;,"\s]*)', re.IGNORECASE)
_HOST = re.compile(r"[0-9A-Za-z._:\[\]-]{1,255}")


def client_address(environ: Mapping[str, Any], conf: cfg.ConfigOpts) -> str:
    """The address of the client, as text: the peer's, or the one that the outermost trusted proxy reports."""
    peer = _address(environ.get("REMOTE_ADDR") or "") or UNKNOWN
    if not _accepts_headers(peer, conf):
        return peer
    found = peer
    for text in reversed(_forwarded_for(environ)):
        address = _address(text)
        if address is None:
            break
        found = address
        if not _trusted(address, tuple(conf.trusted_proxies)):
            break
    return found


def root(http: webob.Request, conf: cfg.ConfigOpts) -> str:
    """The URL of the service's root as the client sees it."""
    if conf.public_endpoint:
        return conf.public_endpoint.rstrip("/")
    host = http.headers.get("X-Forwarded-Host", "").split(",")[0].strip()
    if not _HOST.fullmatch(host) or not _accepts_headers(http.environ.get("REMOTE_ADDR") or "", conf):
        return http.host_url
    scheme = http.headers.get("X-Forwarded-Proto", http.scheme).split(",")[0].strip().lower()
    return f"{scheme if scheme in ('http', 'https') else http.scheme}://{host}"


def _accepts_headers(peer: str, conf: cfg.ConfigOpts) -> bool:
    """Whether the headers of a proxy are accepted from that peer."""
    return conf.oslo_middleware.enable_proxy_headers_parsing and (
        not conf.trusted_proxies or _trusted(peer, tuple(conf.trusted_proxies)))


def _forwarded_for(environ: Mapping[str, Any]) -> list[str]:
    """The addresses that proxies report, the nearest last."""
    if "HTTP_FORWARDED" in environ:
        return _FOR.findall(environ["HTTP_FORWARDED"])
    return [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]


def _address(text: str) -> str | None:
    """An address without port and brackets, or None."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def _trusted(address: str, networks: tuple[str, ...]) -> bool:
    known = _address(address)
    return known is not None and any(ipaddress.ip_address(known) in one for one in _parsed(networks))


@functools.cache
def _parsed(networks: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(one.strip(), strict=False) for one in networks]


def configuration_error(conf: cfg.ConfigOpts) -> str | None:
    """Why trusted_proxies cannot be used, or None."""
    try:
        _parsed(tuple(conf.trusted_proxies))
    except ValueError as error:
        return f"trusted_proxies has a value that is neither an address nor a network: {error}"
    return None
