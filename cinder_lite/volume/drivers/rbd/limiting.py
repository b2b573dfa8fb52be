"""Limits of an image, which librbd keeps with it and every client of librbd applies, those that have it open too."""

import contextlib

import rbd

from cinder_lite.volume.drivers.rbd.protocol import Failure
from cinder_lite.volume.drivers.rbd.qos import OPTIONS

#: The first release of librbd that has them; its versions were 1.MAJOR.MINOR from then on.
FIRST = 15


def limits_work():
    """Whether librbd has limits of images."""
    return rbd.RBD().version()[1] >= FIRST


def put_limits(image, limits, others_too=True):
    """Give an open image these limits, {option: text}; with `others_too` it loses the other ones that it had.

    A refused value leaves all as they were.
    """
    if not limits_work():
        return
    former = {one["name"]: one["value"] for one in image.config_list()
              if one["source"] == rbd.RBD_CONFIG_SOURCE_IMAGE and one["name"] in OPTIONS.values()}
    try:
        for option, text in limits.items():
            _set(image, option, text)
    except Failure:
        _put_back(image, former, limits)
        raise
    for option in former.keys() - limits.keys() if others_too else ():
        _remove(image, option)


def _set(image, option, text):
    try:
        image.config_set(option, text)
    except rbd.InvalidArgument as error:
        key = next(key for key, known in OPTIONS.items() if known == option)
        raise Failure(f"the QoS spec of the volume's type has {key} = '{text}', which librbd does not take as {option}: "
                      "give it a whole number, 0 or more") from error


def _put_back(image, former, limits):
    for option in limits:
        if option in former:
            image.config_set(option, former[option])
        else:
            _remove(image, option)


def _remove(image, option):
    with contextlib.suppress(KeyError):  # it has gone meanwhile
        image.config_remove(option)
