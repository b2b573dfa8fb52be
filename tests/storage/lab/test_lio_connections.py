"""Access to volumes that LIO exports: the tests of the other targets, with the same initiators."""

import sys

import pytest

from cinder_lite.host import privsep
from tests.functional import test_connections as connections
from tests.functional.test_connections import (  # noqa: F401
    client,
    test_a_read_only_volume_is_attached_read_only,
    test_hosts_have_secrets_of_their_own_and_go_one_by_one,
    test_one_host_reads_and_another_writes,
    test_other_actions_keep_the_connection,
    test_the_end_of_an_attachment_ends_its_connection,
    test_the_end_of_the_right_to_the_data_ends_the_connection,
    test_two_attachments_of_one_host_share_its_connection_until_the_last_goes,
    types,
)
from tests.functional.test_isolation import (  # noqa: F401
    ended_without_service,
    test_an_end_while_the_volume_service_is_down_is_an_end_when_it_is_back,
)
from tests.storage import lvm


@pytest.fixture(scope="module")
def service():
    lvm.run("modprobe", "target_core_mod")
    with connections.serving("lio", options="max_over_subscription_ratio = 200\n") as running:
        yield running
        privsep.storage.stop()
    # The kernel is that of other tests, too, which look whether their own targets are gone.
    lvm.run(sys.executable, "-c", "import rtslib_fb; rtslib_fb.RTSRoot().clear_existing(confirm=True)")


@pytest.fixture
def helper(types):  # noqa: F811
    return "lio"
