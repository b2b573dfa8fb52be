"""Microversions: the one that a request is answered at, and the documents that announce them."""

import functools

from cinder_lite import errors

MINIMUM, MAXIMUM = (3, 0), (3, 71)
HEADER = "OpenStack-API-Version"
SERVICE = "volume"


@functools.lru_cache(maxsize=256)
def number(text):
    """(major, minor) of "3.46"."""
    major, minor = text.split(".")
    return int(major), int(minor)


def text(version):
    return f"{version[0]}.{version[1]}"


def asked(header):
    """The version that the header's entry for this service asks for; without a header 3.0."""
    if header is None:
        return MINIMUM
    for entry in header.split(","):
        words = entry.split()
        if len(words) == 2 and words[0].lower() == SERVICE:
            return _parse(words[1])
    raise errors.InvalidVersion(version=header.strip())


def _parse(word):
    if word == "latest":
        return MAXIMUM
    parts = word.split(".")
    if len(parts) != 2 or not all(part.isdecimal() and (part == "0" or part[0] != "0") for part in parts):
        raise errors.InvalidVersion(version=word)
    version = int(parts[0]), int(parts[1])
    if not MINIMUM <= version <= MAXIMUM:
        raise errors.VersionOutOfRange(version=word, minimum=text(MINIMUM), maximum=text(MAXIMUM))
    return version


def document(base):
    """What GET / answers: the one version that is served, at `base` (the URL of the service's root)."""
    return {"versions": [{
        "id": "v3.0", "status": "CURRENT", "version": text(MAXIMUM), "min_version": text(MINIMUM),
        "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                  {"rel": "self", "href": base + "/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }]}
