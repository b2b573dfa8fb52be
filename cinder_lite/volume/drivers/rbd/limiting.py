"""Sets an image's QoS limits, which librbd stores with the image and all its clients apply, running ones included."""

import contextlib
from collections.abc import Mapping

import rbd

from cinder_lite.volume.drivers.rbd.protocol import Failure
from cinder_lite.volume.drivers.rbd.qos import OPTIONS

#: The first release of librbd with limits of images; its versions are 1.MAJOR.MINOR.
FIRST_RELEASE = 15


def has_limits() -> bool:
    """Whether librbd supports limits of images."""
    return rbd.RBD().version()[1] >= FIRST_RELEASE


def put_limits(image: rbd.Image, limits: Mapping[str, str], others_too: bool = True) -> None:
    """Set an open image's limits, {option: text}; `others_too` removes its other limits.

    If a value is refused, all limits stay unchanged.
    """
    if not has_limits():
        return
    former = {one["name"]: one["value"] for one in image.config_list()
              if one["source"] == rbd.RBD_CONFIG_SOURCE_IMAGE and one["name"] in OPTIONS.values()}
    try:
        for option, text in limits.items():
            _set(image, option, text)
    except Failure:
        _restore(image, former, limits)
        raise
    for option in former.keys() - limits.keys() if others_too else ():
        _remove(image, option)


def _set(image, option, text):
    try:
        image.config_set(option, text)
    except rbd.InvalidArgument as error:
        key = next(key for key, known in OPTIONS.items() if known == option)
        raise Failure(f"the QoS spec of the volume's type has {key} = '{text}', which librbd refuses as {option}: set "
                      "an integer, 0 or more") from error


def _restore(image, former, limits):
    for option in limits:
        if option in former:
            image.config_set(option, former[option])
        else:
            _remove(image, option)


def _remove(image, option):
    with contextlib.suppress(KeyError):  # removed meanwhile
        image.config_remove(option)
