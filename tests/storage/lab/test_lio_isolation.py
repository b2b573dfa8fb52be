"""Isolation of hosts by LIO: the tests of the other targets, also after what is configured in the kernel was lost."""

import sys

import pytest

from tests.functional.isolated import Site
from tests.functional.test_isolation import (  # noqa: F401
    ended,
    ended_without_daemon,
    others,
    restarted,
    test_a_restart_leaves_hosts_their_access,
    test_an_end_while_the_daemon_is_down_is_an_end_when_it_is_back,
    test_no_restart_brings_access_back_that_was_ended,
    test_who_has_lost_access_is_cut_and_not_let_in_again,
)
from tests.images.images_service import Glance
from tests.storage import lvm
from tests.storage.test_reimage_isolation import (  # noqa: F401
    test_who_has_lost_access_by_a_reimage_is_cut_and_not_let_in_again,
)


class LioSite(Site):
    """Its daemon is the kernel, which forgets all exports as by `targetctl clear`. The volumes lie in memory."""

    def __init__(self, default="", options=""):
        super().__init__("lio", default=default, options=f"max_over_subscription_ratio = 200\n{options}")

    def start_daemon(self):
        lvm.run("modprobe", "target_core_mod")

    def end_daemon(self):
        lvm.run(sys.executable, "-c", "import rtslib_fb; rtslib_fb.RTSRoot().clear_existing(confirm=True)")


@pytest.fixture(scope="module")
def glance():
    with Glance() as started:
        yield started


@pytest.fixture(scope="module")
def site(glance):
    with LioSite(default=f"glance_api_servers = {glance.url}\n") as running:
        yield running


@pytest.fixture
def helper():
    return "lio"
