"""Chooses the microversion of a request."""

import functools

from cinder_lite import errors

#: (major, minor)
Version = tuple[int, int]

MINIMUM: Version = (3, 0)
MAXIMUM: Version = (3, 71)
HEADER = "OpenStack-API-Version"
SERVICE = "volume"


@functools.lru_cache(maxsize=256)
def number(text: str) -> Version:
    """(major, minor) of "3.46"."""
    major, minor = text.split(".")
    return int(major), int(minor)


def text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def requested(header: str | None) -> Version:
    """The version that the header requests for this service; 3.0 without a header.

    Raises InvalidVersion and VersionOutOfRange.
    """
    if header is None:
        return MINIMUM
    for entry in header.split(","):
        words = entry.split()
        if len(words) == 2 and words[0].lower() == SERVICE:
            return _parse(words[1])
    raise errors.InvalidVersion(version=header.strip())


@functools.lru_cache(maxsize=256)
def _parse(word: str) -> Version:
    if word == "latest":
        return MAXIMUM
    parts = word.split(".")
    if len(parts) != 2 or not all(part.isdecimal() and (part == "0" or part[0] != "0") for part in parts):
        raise errors.InvalidVersion(version=word)
    version = int(parts[0]), int(parts[1])
    if not MINIMUM <= version <= MAXIMUM:
        raise errors.VersionOutOfRange(version=word, minimum=text(MINIMUM), maximum=text(MAXIMUM))
    return version


def headers(version: Version) -> list[tuple[str, str]]:
    """The headers of a response of that version."""
    return [(HEADER, f"{SERVICE} {text(version)}"), ("Vary", HEADER)]
