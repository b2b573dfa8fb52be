"""Stores the backup store's objects in a namespace of a pool, with index objects, because listing a pool is slow.

The objects whose names begin with the same two parts are listed in an object `.list/PART/PART`, and these lists in
`.lists`. Objects are listed before they are written, and unlisted after they were removed, so that none is missing.
"""

import contextlib
import functools

import rados

from cinder_lite.volume.drivers.rbd.cluster import PAGE, Pool

NAMESPACE = "cinder-lite"
LISTS, LIST = ".lists", ".list/"


class Objects:
    """The calls of the store, with the store's names."""

    CALLS = ("put_object", "add_object", "get_object", "object_size", "delete_object", "objects", "forget_objects")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    @functools.cached_property
    def _ioctx(self):
        ioctx = self.pool.cluster.open_ioctx(self.pool.name)
        ioctx.set_namespace(NAMESPACE)
        return ioctx

    def put_object(self, name: str, data: bytes = b"") -> None:
        """Create or replace an object, in one operation."""
        self._list(LISTS, _part(name))
        self._list(LIST + _part(name), name)
        self._ioctx.write_full(name, data)

    def add_object(self, name: str, data: bytes = b"") -> bool:
        """Create an object, in one operation; False if there is one."""
        self._list(LISTS, _part(name))
        self._list(LIST + _part(name), name)
        with rados.WriteOpCtx() as operation:
            operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
            operation.write_full(data)
            try:
                self._ioctx.operate_write_op(operation, name)
            except rados.ObjectExists:
                return False
        return True

    def get_object(self, name: str, offset: int, length: int) -> bytes | None:
        """The object's bytes, None if there is no object."""
        try:
            return self._ioctx.read(name, length, offset)
        except rados.ObjectNotFound:
            return None

    def object_size(self, name: str) -> int | None:
        """The object's size, None if there is no object."""
        try:
            return self._ioctx.stat(name)[0]
        except rados.ObjectNotFound:
            return None

    def delete_object(self, name: str) -> None:
        with contextlib.suppress(rados.ObjectNotFound):
            self._ioctx.remove_object(name)
        self._unlist(LIST + _part(name), name)

    def objects(self, folder: str) -> list[str]:
        """The names that begin with `folder` and a slash."""
        lists = [folder] if "/" in folder else self._listed(LISTS, folder + "/")
        return [name for one in lists for name in self._listed(LIST + _part(one), folder + "/")]

    def forget_objects(self, folder: str) -> None:
        """Remove the list of an emptied folder that has its own."""
        if folder == _part(folder):
            with contextlib.suppress(rados.ObjectNotFound):
                self._ioctx.remove_object(LIST + folder)
            self._unlist(LISTS, folder)

    # -- lists

    def _list(self, list, key):
        with rados.WriteOpCtx() as operation:
            self._ioctx.set_omap(operation, (key,), (b"",))
            self._ioctx.operate_write_op(operation, list)

    def _unlist(self, list, key):
        with rados.WriteOpCtx() as operation:
            self._ioctx.remove_omap_keys(operation, (key,))
            with contextlib.suppress(rados.ObjectNotFound):
                self._ioctx.operate_write_op(operation, list)

    def _listed(self, list, prefix):
        found, page = [], None
        while page is None or len(page) == PAGE:
            with rados.ReadOpCtx() as operation:
                entries, _ = self._ioctx.get_omap_vals(operation, found[-1] if found else "", prefix, PAGE)
                try:
                    self._ioctx.operate_read_op(operation, list)
                except rados.ObjectNotFound:
                    return found
                page = [key for key, _ in entries]
            found += page
        return found


def _part(name):
    return "/".join(name.split("/")[:2])
