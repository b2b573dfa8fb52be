"""RBD backends for tests: a driver on a real Ceph, and its images as places that the contract suite reads and writes."""

import contextlib
import glob
import os

from cinder_lite.volume.drivers.rbd import content, options, process
from cinder_lite.volume.drivers.rbd.driver import RbdDriver
from tests.contract import backends
from tests.storage import ceph as ceph_module

BLOCK = 4096
#: Where the system's Python keeps librbd.
DIST_PACKAGES = "/usr/lib/python3/dist-packages"


class Place:
    """An image or snapshot, read and written by a process with librbd that many places share."""

    def __init__(self, where, librbd):
        self.where, self.librbd = where["rbd"], librbd

    def write_at(self, position, data):
        with content.Target(self.where, self.librbd) as target:
            target.write(position, data)

    def content(self):
        blocks = {}
        with content.Source(self.where, self.librbd) as source:
            size = self.librbd.call("size", number=source.number)
            for begin, end in source.extents(0, size):
                begin, end = begin - begin % BLOCK, min(end + -end % BLOCK, size)
                data = source.read(begin, end - begin)
                for position in range(0, len(data), BLOCK):
                    block = data[position:position + BLOCK]
                    if block.strip(b"\0"):
                        blocks[(begin + position) // BLOCK] = block
        return size, blocks

    @contextlib.contextmanager
    def open_size(self):
        with content.Target(self.where, self.librbd) as target:
            yield target.size


class Driver(RbdDriver):
    """The driver with the `path` of its images, as drivers of files and devices have it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.reader = process.Librbd(self.cluster)

    def path(self, volume):
        return Place(self.content(volume), self.reader)

    def snapshot_path(self, snapshot):
        return Place(self.snapshot_content(snapshot), self.reader)

    def close(self):
        self.librbd.close()
        self.reader.close()


def driver(ceph, name="backend", **values):
    """A driver on the cluster's pool of volumes."""
    values = {"rbd_ceph_conf": ceph.conf, "rbd_user": ceph_module.USER, "rbd_pool": ceph_module.POOLS[0], **values}
    return Driver(backends.options(options.OPTIONS, **values), name)


def emptied(ceph, pool=ceph_module.POOLS[0]):
    """Remove all images of a pool, with what was cloned from them, its trash and its journal."""
    ceph.command("osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it")
    ceph.make_pool(pool)


def libraries(folder):
    """Put what Python needs for librbd, and nothing else that the system's has, into a folder; its path."""
    for library in glob.glob(f"{DIST_PACKAGES}/ra*dos.*.so") + glob.glob(f"{DIST_PACKAGES}/rbd.*.so"):
        os.symlink(library, folder / os.path.basename(library))
    return str(folder)
