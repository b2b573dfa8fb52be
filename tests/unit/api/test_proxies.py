"""The client address: proxy headers apply only to trusted proxies."""

import types

import pytest

from cinder_lite.api import proxies


def address(peer, on, trusted=(), **headers):
    conf = types.SimpleNamespace(trusted_proxies=list(trusted), oslo_middleware=types.SimpleNamespace(
        enable_proxy_headers_parsing=on))
    return proxies.client_address({"REMOTE_ADDR": peer, **headers}, conf)


FOR = "HTTP_X_FORWARDED_FOR"
INNER = ("10.0.0.0/8", "::1")


@pytest.mark.parametrize(("peer", "on", "trusted", "headers", "found"), [
    ("192.0.2.1", False, (), {}, "192.0.2.1"),
    ("192.0.2.1", False, (), {FOR: "198.51.100.7"}, "192.0.2.1"),
    ("192.0.2.1", True, (), {FOR: "198.51.100.7"}, "198.51.100.7"),
    ("192.0.2.1", True, (), {FOR: "203.0.113.9, 198.51.100.7"}, "198.51.100.7"),
    ("192.0.2.1", True, INNER, {FOR: "198.51.100.7"}, "192.0.2.1"),
    ("10.0.0.1", True, INNER, {FOR: "203.0.113.9, 198.51.100.7, 10.2.3.4"}, "198.51.100.7"),
    ("10.0.0.1", True, INNER, {FOR: "10.2.3.4"}, "10.2.3.4"),
    ("::1", True, INNER, {FOR: "2001:db8::7"}, "2001:db8::7"),
    ("10.0.0.1", True, INNER, {FOR: "evil\n2026 INFO forged"}, "10.0.0.1"),
    ("10.0.0.1", True, INNER, {FOR: ", ,"}, "10.0.0.1"),
    ("10.0.0.1", True, INNER, {FOR: "198.51.100.7:4711"}, "198.51.100.7"),
    ("10.0.0.1", True, INNER, {"HTTP_FORWARDED": 'for=203.0.113.9;proto=https, for="[2001:db8::7]:4711"'},
     "2001:db8::7"),
    ("::ffff:192.0.2.1", False, (), {}, "192.0.2.1"),
    ("", True, (), {}, proxies.UNKNOWN), ("localhost", False, (), {}, proxies.UNKNOWN),
])
def test_the_clients_address(peer, on, trusted, headers, found):
    assert address(peer, on, trusted, **headers) == found


def test_an_invalid_network_prevents_the_start():
    assert "trusted_proxies" in proxies.configuration_error(types.SimpleNamespace(trusted_proxies=["10.0.0.300"]))
    assert proxies.configuration_error(types.SimpleNamespace(trusted_proxies=["10.0.0.0/8", "::1"])) is None
