"""Parsing of the microversion header."""

import pytest

from cinder_lite import errors
from cinder_lite.api import versions


@pytest.mark.parametrize(("header", "version"), [
    (None, (3, 0)), ("volume 3.0", (3, 0)), ("volume 3.71", (3, 71)), ("volume latest", (3, 71)),
    ("VOLUME 3.5", (3, 5)), ("  volume   3.5  ", (3, 5)), ("compute 2.1, volume 3.9", (3, 9)),
    ("volume 3.9,volume 3.10", (3, 9)),
])
def test_the_version_of_a_header(header, version):
    assert versions.requested(header) == version


@pytest.mark.parametrize("header", [
    "", "3.5", "volume", "volume 3", "volume 3.", "volume .5", "volume 3.5.1", "volume v3.5", "volume 3.05",
    "volume 03.5", "volume -3.5", "volume 3.x", "volume newest", "compute 2.1", "volume3.5", "volume 3 5",
])
def test_a_header_that_is_malformed(header):
    with pytest.raises(errors.InvalidVersion):
        versions.requested(header)


@pytest.mark.parametrize("word", ["3.72", "2.0", "4.0", "0.0", "3.1000", "99.99"])
def test_a_version_out_of_range_is_named(word):
    with pytest.raises(errors.VersionOutOfRange) as refused:
        versions.requested(f"volume {word}")
    assert refused.value.status == 406
    assert refused.value.values["version"] == word


def test_versions_are_compared_as_numbers():
    assert versions.number("3.9") < versions.number("3.10")
