"""Decides which image formats are accepted, and checks that an image's content has its declared format.

Content is inspected before qemu-img reads any of it, with oslo.utils' inspectors, which open no further files. Images
that refer to other files, a backing file or a data file, are refused.
"""

import json
import typing

from oslo_utils.imageutils import format_inspector

from cinder_lite import errors
from cinder_lite.image.record import Image

GIB = 1024**3
#: Formats that are written to the volume without conversion -> the formats that the inspectors may detect in them.
UNCONVERTED = {"raw": {"raw", "gpt", "iso", "luks"}, "iso": {"iso", "gpt"}, "ami": {"raw", "gpt"}, "aki": {"raw"},
               "ari": {"raw"}}
#: Formats that qemu-img converts -> its name for them. The keys are also the inspectors' names.
CONVERTED = {"qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
CONTAINERS = ("bare", "ami", "aki", "ari")
#: Types of VMDK that consist of one file.
SINGLE_FILE_VMDK = ("monolithicSparse", "streamOptimized")
#: Bytes passed to the inspectors at a time.
CHUNK = 64 * 1024


class ImageRefused(errors.Explained):
    """No volume can be created from the image; the text gives the reason."""

    detail = "image format"


def check_declared(image: Image) -> None:
    """Raise ImageRefused if no volume can be created from an image of the declared formats."""
    if image.disk_format not in UNCONVERTED and image.disk_format not in CONVERTED:
        raise ImageRefused(f"image {image.id} has the disk format {image.disk_format}; volumes can be created from "
                           f"{', '.join((*UNCONVERTED, *CONVERTED))}")
    if image.container_format not in CONTAINERS:
        raise ImageRefused(f"image {image.id} has the container format {image.container_format}; volumes can be "
                           f"created from {', '.join(CONTAINERS)}")


class Inspection:
    """Inspects content as it is read; the file-like source of an InspectWrapper."""

    def __init__(self, disk_format: str) -> None:
        self.disk_format = disk_format
        self._pending: list[bytes] = []
        self._wrapper = format_inspector.InspectWrapper(typing.cast(typing.IO[bytes], self))
        self._known = False

    def read(self, _size: int) -> bytes:
        """The next chunk, for the inspectors."""
        return self._pending.pop()

    def close(self) -> None:
        """Nothing to close; InspectWrapper calls it."""

    def feed(self, data: bytes | memoryview) -> None:
        """Inspect the next bytes. Raises ImageRefused as soon as another format is detected."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            if self._known:
                return
            self._pending.append(bytes(view[start:start + CHUNK]))
            self._wrapper.read(CHUNK)
            self._known = self._wrapper.formats is not None
        if self._known:
            self._check()

    def finish(self) -> format_inspector.FileInspector:
        """End the inspection after the last byte. Returns the inspector of the format."""
        self._wrapper.close()
        return self._check()

    def _check(self):
        found = self._wrapper.formats
        names = {str(one) for one in found}
        if not names <= UNCONVERTED.get(self.disk_format, {self.disk_format}):
            raise ImageRefused(f"its content is {' and '.join(sorted(names))}, but it is declared as "
                               f"{self.disk_format}")
        return found[0]


def inspect_file(path: str, disk_format: str) -> None:
    """Raise ImageRefused for a file of another format, with references to other files, or that cannot be parsed."""
    inspection = Inspection(disk_format)
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            inspection.feed(data)
    found = inspection.finish()
    try:
        found.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        raise ImageRefused(f"its content is not safe to read: {_failures(error)}") from error
    except format_inspector.ImageFormatError as error:
        raise ImageRefused(f"its content is damaged: {error}") from error


def _failures(error):
    return "; ".join(f"{name.replace('_', ' ')}: {reason}" for name, reason in sorted(error.failures.items()))


def virtual_size(text: str, disk_format: str) -> int:
    """The size in bytes of the disk in an image, from the output of `qemu-img info --output=json`."""
    info = json.loads(text)
    data = info.get("format-specific", {}).get("data", {})
    if info.get("format") != CONVERTED[disk_format]:
        raise ImageRefused(f"qemu-img reads it as {info.get('format')}, but it is declared as {disk_format}")
    if info.get("backing-filename") or info.get("full-backing-filename"):
        raise ImageRefused("it has a backing file, whose content is not part of it; flatten it first")
    if data.get("data-file"):
        raise ImageRefused("its data is in another file; convert it into one file first")
    if info.get("encrypted"):
        raise ImageRefused("it is encrypted")
    if disk_format == "vmdk" and data.get("create-type") not in SINGLE_FILE_VMDK:
        raise ImageRefused(f"it is a VMDK of type {data.get('create-type')}; only {' and '.join(SINGLE_FILE_VMDK)} are "
                           "one file")
    return info["virtual-size"]


def check_fits(needed: int, size: int) -> None:
    """Raise ImageRefused if a disk of `needed` bytes does not fit into a volume of `size` GiB."""
    if needed > size * GIB:
        raise ImageRefused(f"its disk has {needed} bytes, so it needs a volume of {-(-needed // GIB)} GiB, not {size}")
