"""Disk contents for images and volumes of tests."""

import os
import random
import subprocess

from cinder_lite.blockio import device

MIB = 1024**2


def disk(size, seed=1):
    """So many bytes with data at the beginning, in the middle and at the end, and zeros between."""
    rng = random.Random(seed)
    device = bytearray(size)
    part = size // 16
    for start in (0, size // 2, size - part):
        device[start:start + part] = rng.randbytes(part)
    return bytes(device)


def convert(directory, data, disk_format, *options):
    """The bytes of an image of that format with the disk `data`."""
    raw, made = os.path.join(directory, "raw"), os.path.join(directory, f"made.{disk_format}")
    with open(raw, "wb") as file:
        file.write(data)
    qemu_format = {"vhd": "vpc"}.get(disk_format, disk_format)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", qemu_format, *options, raw, made], check=True)
    with open(made, "rb") as file:
        return file.read()


def path(service, volume):
    return os.path.join(service.state, "volumes",
                        f"volume-{volume.get('os-vol-mig-status-attr:name_id') or volume['id']}")


def begins_with(service, volume, data):
    """Whether the volume holds `data` and zeros behind it."""
    size = volume["size"] * 1024**3
    with device.Source(path(service, volume)) as source:
        rest = (source.read(start, end - start) for start, end in source.extents(len(data), size))
        same = source.read(0, len(data)) == data and not any(part.strip(b"\0") for part in rest)
    return same and os.stat(path(service, volume)).st_size == size


def free(service, volume):
    """Bytes that the volume takes on the disk."""
    return os.stat(path(service, volume)).st_blocks * 512


def full(size, seed=3):
    """So many bytes without a zero run."""
    return random.Random(seed).randbytes(size)
