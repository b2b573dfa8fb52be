"""A host is logged out when an image is written over the volume, and not let in again, also after restarts."""

import pytest

from tests.functional.isolated import RESTARTS, Site, reimaging
from tests.functional.service import until
from tests.functional.test_connections import HELPERS, reads
from tests.functional.test_isolation import cut, living, refused
from tests.images.images_service import Glance


@pytest.fixture(scope="module")
def glance():
    with Glance() as started:
        yield started


@pytest.fixture(scope="module")
def site(glance):
    with Site(*HELPERS, default=f"glance_api_servers = {glance.url}\n") as running:
        yield running


@pytest.fixture(params=HELPERS)
def helper(request):
    return request.param


def test_who_has_lost_access_by_a_reimage_is_cut_and_not_let_in_again(site, glance, helper):
    known, info = living(site), cut(site, helper, reimaging(glance))
    assert refused(info)
    for what in RESTARTS:
        site.restart(*what)
        until(lambda: all(reads(one) for one in known), "the exports to be back")
        assert refused(info)
