"""Resolution of portal addresses, and the reasons why an address cannot be used."""

import pytest

from cinder_lite.host import network

LO = network.Link("lo", network.UP | network.LOOPBACK | network.RUNNING)
ETH = network.Link("eth1", network.UP | network.RUNNING)
SIX = network.Link("eth6", network.UP | network.RUNNING)
PULLED = network.Link("eth2", network.UP)
DOWN = network.Link("eth3", 0)
BARE = network.Link("eth4", network.UP | network.RUNNING)
LINKS = (LO, ETH, SIX, PULLED, DOWN, BARE)
LOCAL = 253
ADDRESSES = (
    network.Address("127.0.0.1", 8, LO, scope=254),
    network.Address("fe80::1", 64, ETH, scope=LOCAL),
    network.Address("fd00::1", 64, ETH),
    network.Address("10.0.0.1", 24, ETH),
    network.Address("10.0.0.2", 24, ETH),
    network.Address("fd00::5", 64, SIX, flags=network.TENTATIVE),
    network.Address("fd00::6", 64, SIX, flags=network.DEPRECATED),
    network.Address("fd00::7", 64, SIX),
    network.Address("fd00::8", 64, SIX, flags=network.DUPLICATE),
    network.Address("10.0.2.1", 24, PULLED),
    network.Address("10.0.3.1", 24, DOWN),
)


@pytest.mark.parametrize("word, meant", [
    ("10.0.0.2", "10.0.0.2"), ("eth1", "10.0.0.1"), ("eth6", "fd00::7"), ("fd00:0::1", "fd00::1"),
    ("127.0.0.2", "127.0.0.2"), ("fe80::1", "fe80::1")])
def test_resolving_addresses_and_interface_names(word, meant):
    assert network.usable(word, LINKS, ADDRESSES) == meant


@pytest.mark.parametrize("word, reason", [
    ("10.0.2.1", "link eth2 has no carrier"), ("eth2", "link eth2 has no carrier"),
    ("10.0.3.1", "link eth3 is down"), ("eth3", "link eth3 is down"), ("eth4", "link eth4 has no address"),
    ("10.0.9.9", "10.0.9.9 is not an address of this host, which has 127.0.0.1, fe80::1"),
    ("0.0.0.0", "0.0.0.0 is not an address of this host"), ("fd00::5", "the address fd00::5 is still being tested"),
    ("fd00::8", "another host has the address fd00::8 too"),
    ("eth9.invalid", "eth9.invalid is neither a link nor an address of this host")])
def test_why_it_cannot_be_used(word, reason):
    with pytest.raises(network.Unusable, match=reason):
        network.usable(word, LINKS, ADDRESSES)
