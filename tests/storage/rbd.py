"""RBD backends for tests: a driver on a real Ceph, and access to its images for the contract suite."""

import contextlib
import glob
import json
import os
import random
import subprocess
import time

from cinder_lite.volume.drivers.rbd import content, options, supervisor
from cinder_lite.volume.drivers.rbd.driver import RbdDriver
from tests.contract import backends
from tests.services.processes import until
from tests.storage import ceph as ceph_module

BLOCK = 4096
#: Where the system's Python keeps librbd.
DIST_PACKAGES = "/usr/lib/python3/dist-packages"
#: Takes a child off the list of a parent's snapshot, as the OSD's method does for librbd, and then removes the
#: snapshot, as librbd does, where that is asked for.
DETACH = """
import rados, rbd, struct, sys
conf, parent, snapshot, child, how = sys.argv[1:]
with rados.Rados(conffile=conf) as cluster, cluster.open_ioctx("volumes") as pool:
    pool_id = cluster.pool_lookup("volumes")
    spec = struct.pack("<qI", pool_id, len(child)) + child.encode() + struct.pack("<I", 0)
    pool.execute(f"rbd_header.{parent}", "rbd", "child_detach",
                 struct.pack("<QBBI", int(snapshot), 2, 1, len(spec)) + spec)
    if how == "and-remove":
        with rbd.Image(pool, image_id=parent) as image:
            image.remove_snap_by_id(int(snapshot))
"""

#: Has librbd take an image in the trash to be on its way there.
MOVING = """
import rados, struct, sys
conf, id = sys.argv[1:]
with rados.Rados(conffile=conf) as cluster, cluster.open_ioctx("volumes") as pool:
    pool.execute("rbd_trash", "rbd", "trash_state_set", struct.pack("<I", len(id)) + id.encode() + bytes((1, 0)))
"""


#: Says its address and waits; when told to, it watches an image for as long as it lives.
WATCHING = """
import rados, sys
conf, id = sys.argv[1:]
with rados.Rados(conffile=conf) as cluster, cluster.open_ioctx("volumes") as pool:
    print(cluster.get_addrs().removeprefix("v1:"), flush=True)
    sys.stdin.readline()
    pool.watch(f"rbd_header.{id}", lambda *said: None, None, 5)
"""


class Place:
    """An image or snapshot, read and written by a process with librbd that many places share."""

    def __init__(self, where, librbd):
        self.where, self.librbd = where["rbd"], librbd

    def write_at(self, position, data):
        with content.Target(self.where, self.librbd) as target:
            target.write(position, data)
            target.sync()

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
        self.reader = supervisor.Librbd(self.cluster)

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


def detach(ceph, parent, child, how="only"):
    """Leave a child, by its id, and the only snapshot of its parent as librbd does that is killed as the child goes."""
    (taken,) = json.loads(ceph.rbd("snap", "ls", "--image-id", parent, "--all", "--format", "json"))
    subprocess.run([supervisor.SYSTEM_PYTHON, "-c", DETACH, ceph.conf, parent, str(taken["id"]), child, how],
                   check=True, timeout=60)


def half_moved(ceph, id):
    """Leave an image in the trash as librbd does that is killed before it has written that it has arrived there."""
    subprocess.run([supervisor.SYSTEM_PYTHON, "-c", MOVING, ceph.conf, id], check=True, timeout=60)


def watched(ceph, id):
    """What watches an image, by its id, as lines of Ceph's."""
    return ceph.run("rados", "-p", ceph_module.POOLS[0], "listwatchers", f"rbd_header.{id}")


def watched_by_the_dead(ceph, id):
    """Leave the watch of a client that was killed while the OSD wrote it down, which the OSD keeps; the client's
    address.

    The client is on the blocklist, on which the OSD ends every watch that it has not lost sight of.
    """
    times = random.Random(8)

    def killed():
        client = subprocess.Popen([supervisor.SYSTEM_PYTHON, "-c", WATCHING, ceph.conf, id], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        with client:
            address = client.stdout.readline().strip()
            client.stdin.write("\n")
            client.stdin.flush()
            time.sleep(times.uniform(0, 0.01))
            client.kill()
        ceph.command("osd", "blocklist", "add", address)
        return address if address in watched(ceph, id) else None

    return until(killed, 120, "a client that is killed at the wrong moment")
