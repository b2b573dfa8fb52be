"""The network of the host, in a network namespace with a pair of links."""

import subprocess
import sys

import pytest

SCRIPT = """
import subprocess
from cinder_lite import concurrency
concurrency.patch()
from cinder_lite.host import network

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def look(word):
    try:
        return concurrency.in_thread(lambda: network.usable(word, *network.state()))
    except network.Unusable as unusable:
        return str(unusable)

def becomes(word, wanted):
    # Looks again whenever something is told, until the word means that.
    while look(word) != wanted:
        watched.recv(65536)
    print(word, wanted)

ip("link set lo up")
ip("link add eth1 type veth peer name far")
ip("addr add 10.1.0.1/24 dev eth1")
ip("addr add fd01::1/64 dev eth1 nodad")
print(look("eth1"))
ip("link set far up")
watched = network.changes()
watched.settimeout(60)
ip("link set eth1 up")
becomes("eth1", "10.1.0.1")
print(look("10.1.0.1"), look("127.0.0.1"))
ip("link set far down")
becomes("10.1.0.1", "link eth1 has no carrier")
ip("link set far up")
becomes("10.1.0.1", "10.1.0.1")
ip("addr del 10.1.0.1/24 dev eth1")
becomes("eth1", "fd01::1")
print(look("10.1.0.1").partition(",")[0])
"""


@pytest.fixture(scope="module")
def seen():
    """Yield the output of the script line by line."""
    done = subprocess.run(["unshare", "--net", sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_changes_of_links_and_addresses_are_detected(seen):
    assert seen == [
        "link eth1 is down", "eth1 10.1.0.1", "10.1.0.1 127.0.0.1", "10.1.0.1 link eth1 has no carrier",
        "10.1.0.1 10.1.0.1",
        "eth1 fd01::1", "10.1.0.1 is not an address of this host"]
