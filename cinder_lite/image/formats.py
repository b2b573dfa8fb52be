"""Which formats of images are taken, and whether the content is what the image's description says.

Content is looked at before any of it is handed to qemu-img: by oslo.utils' inspectors, which know no other files than
the one they read. What refers to other files, a backing file or a data file, is refused.
"""

import json

from oslo_utils.imageutils import format_inspector

from cinder_lite import errors

GIB = 1024**3
#: Formats whose bytes are the volume's bytes, and what content of them may look like to the inspectors.
AS_IT_IS = {"raw": {"raw", "gpt", "iso", "luks"}, "iso": {"iso", "gpt"}, "ami": {"raw", "gpt"}, "aki": {"raw"}, "ari": {"raw"}}
#: Formats that qemu-img reads and writes -> its word for them. They are the inspectors' words as well.
CONVERTED = {"qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
CONTAINERS = ("bare", "ami", "aki", "ari")
#: Kinds of VMDK that are one file.
SINGLE_FILE_VMDK = ("monolithicSparse", "streamOptimized")
#: Bytes that are given to the inspectors at a time.
CHUNK = 64 * 1024


class ImageRefused(errors.Explained):
    """The image cannot become a volume; the text says why."""

    detail = "image format"


def check_declared(image):
    """Refuse by its description an image that no volume can be made of."""
    if image.disk_format not in AS_IT_IS and image.disk_format not in CONVERTED:
        raise ImageRefused(f"image {image.id} has the disk format {image.disk_format}; volumes can be made of "
                           f"{', '.join((*AS_IT_IS, *CONVERTED))}")
    if image.container_format not in CONTAINERS:
        raise ImageRefused(f"image {image.id} has the container format {image.container_format}; volumes can be made of "
                           f"{', '.join(CONTAINERS)}")


class Inspection:
    """Looks at content as it passes by."""

    def __init__(self, disk_format):
        self.disk_format = disk_format
        self._passing = []
        self._wrapper = format_inspector.InspectWrapper(self)
        self._known = False

    def read(self, _size):
        """What passes by now, for the inspectors."""
        return self._passing.pop()

    def close(self):
        """Part of what the inspectors take for a file."""

    def feed(self, data):
        """Raises ImageRefused as soon as the content turns out to be something else."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            if self._known:
                return
            self._passing.append(bytes(view[start:start + CHUNK]))
            self._wrapper.read(CHUNK)
            self._known = self._wrapper.formats is not None
        if self._known:
            self._check()

    def finish(self):
        """All has passed by. Returns the inspector of the format."""
        self._wrapper.close()
        return self._check()

    def _check(self):
        found = self._wrapper.formats
        names = {str(one) for one in found}
        if not names <= AS_IT_IS.get(self.disk_format, {self.disk_format}):
            raise ImageRefused(f"its content is {' and '.join(sorted(names))}, but it is declared as {self.disk_format}")
        return found[0]


def inspect_file(path, disk_format):
    """Refuse a file that is not of the format, refers to other files, or has what is not understood."""
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


def virtual_size(text, disk_format):
    """The size in bytes of the disk in an image, from what `qemu-img info --output=json` said of it."""
    said = json.loads(text)
    data = said.get("format-specific", {}).get("data", {})
    if said.get("format") != CONVERTED[disk_format]:
        raise ImageRefused(f"qemu-img reads it as {said.get('format')}, but it is declared as {disk_format}")
    if said.get("backing-filename") or said.get("full-backing-filename"):
        raise ImageRefused("it has a backing file, whose content is not part of it; flatten it first")
    if data.get("data-file"):
        raise ImageRefused("its data lies in another file; convert it into one file first")
    if said.get("encrypted"):
        raise ImageRefused("it is encrypted")
    if disk_format == "vmdk" and data.get("create-type") not in SINGLE_FILE_VMDK:
        raise ImageRefused(f"it is a VMDK of type {data.get('create-type')}; only {' and '.join(SINGLE_FILE_VMDK)} are "
                           "one file")
    return said["virtual-size"]


def check_fits(needed, size):
    """Refuse a disk of `needed` bytes in a volume of `size` GiB."""
    if needed > size * GIB:
        raise ImageRefused(f"its disk has {needed} bytes, so it needs a volume of {-(-needed // GIB)} GiB, not {size}")
