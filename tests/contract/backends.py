"""The drivers of the contract suite, and how to create a fresh backend of each; a new driver adds a line."""

import contextlib
import os
import uuid

from oslo_config import cfg

from cinder_lite import conf as configuration
from cinder_lite.volume.drivers import base, file, nfs, null

MIB, GIB = 1024**2, 1024**3
CAP_SYS_ADMIN = 1 << 21


def options(declared, **values):
    """A backend section with `values` and the defaults of all other options."""
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_group(cfg.OptGroup("backend"))
    conf.register_opts([*declared, *configuration.BACKEND], group="backend")
    for name, value in values.items():
        conf.set_override(name, value, group="backend")
    return conf.backend


def file_driver(directory):
    """A file driver on a directory that does not exist yet."""
    made = file.FileDriver(options(file.OPTIONS, file_volume_dir=str(directory / uuid.uuid4().hex)), "backend")
    made.check()
    return made


def nfs_driver(directory):
    """An NFS driver on a directory that does not exist yet."""
    made = nfs.NfsDriver(options(nfs.OPTIONS, file_volume_dir=str(directory / uuid.uuid4().hex), nas_host="192.0.2.7",
                                 nas_share_path="/volumes"), "backend")
    made.check()
    return made


def can_mount():
    """Whether disk images can be mounted on this machine (often not in a container)."""
    with open("/proc/self/status") as status:
        held = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    return bool(held & CAP_SYS_ADMIN) and os.path.exists("/dev/loop-control")


#: Name -> function of (a temporary directory, the `disks` fixture) that gives a driver on an empty backend.
DRIVERS = {
    "file": lambda directory, disks: file_driver(directory),
    "nfs": lambda directory, disks: nfs_driver(directory),
    "null": lambda directory, disks: null.NullDriver(options(null.NullDriver.OPTIONS), "backend"),
}
#: File systems that share blocks.
SHARING = ("xfs", "btrfs") if can_mount() else ()
for kind in SHARING:
    DRIVERS[f"file on {kind}"] = lambda directory, disks, kind=kind: file_driver(disks(kind))

KEEPING_DATA = [name for name in DRIVERS if name != "null"]


def volume(size=1):
    """A new volume of so many GiB."""
    return base.Volume(str(uuid.uuid4()), size)


def snapshot(of):
    """A new snapshot of a volume."""
    return base.Snapshot(str(uuid.uuid4()), of.size, of)


def write(place, position, data):
    """Write to the `path` of a driver: a file or device in place, or any writable object."""
    if hasattr(place, "write_at"):
        place.write_at(position, data)
        return
    with open(place, "r+b") as opened:
        opened.seek(position)
        opened.write(data)


def content(place):
    """Read the `path` of a driver: its size, and {number of a 4 KiB block: bytes} of all non-zero blocks."""
    if hasattr(place, "content"):
        return place.content()
    blocks, end = {}, 0
    with open(place, "rb", buffering=0) as opened:
        size = opened.seek(0, os.SEEK_END)
        while end < size:
            try:
                start = os.lseek(opened.fileno(), end, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(opened.fileno(), start, os.SEEK_HOLE)
            for position in range(start - start % 4096, end, 4096):
                block = os.pread(opened.fileno(), 4096, position)
                if block.strip(b"\0"):
                    blocks[position // 4096] = block
    return size, blocks


@contextlib.contextmanager
def open_size(place):
    """Keep the `path` of a driver open; returns a function for its size."""
    if hasattr(place, "open_size"):
        with place.open_size() as size:
            yield size
        return
    with open(place, "rb") as opened:
        yield lambda: opened.seek(0, os.SEEK_END)


def following():
    """A progress callback and the list of (done, whole) that it collects."""
    seen = []
    return lambda done, whole: seen.append((done, whole)), seen
