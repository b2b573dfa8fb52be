"""The volume tests of Tempest, unmodified, with Keystone, Glance and the service with two backends."""

import os

from tests.acceptance.judge import Tempest
from tests.acceptance.network import Network

#: How many of the tests of tempest.api.volume need no Nova.
TESTS = 208


def test_tempest(keystone, service, images):
    image = images.create(os.urandom(1024**2), min_disk=1, visibility="public")
    with Network() as network:
        keystone.register(network.url, "network")
        verdicts = Tempest(keystone, image, service.protocol).run()
    assert (verdicts.failed, verdicts.skipped) == ((), ()), verdicts.output[-20000:]
    assert len(verdicts.passed) == TESTS
