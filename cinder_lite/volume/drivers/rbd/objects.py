"""The backup store's objects in a pool, in a namespace of their own, with lists of them: a pool itself lists slowly.

The objects whose names begin with the same two parts are listed in one more, `.list/PART/PART`, and these lists in
`.lists`. What is put is listed before, and struck off after it has been removed, so that nothing is ever unlisted.
"""

import contextlib
import functools

import rados

from cinder_lite.volume.drivers.rbd.cluster import PAGE

NAMESPACE = "cinder-lite"
LISTS, LIST = ".lists", ".list/"


class Objects:
    """The calls of the store. Names are as the store gets them."""

    CALLS = ("put_object", "get_object", "object_size", "delete_object", "objects", "forget_objects")

    def __init__(self, pool):
        self.pool = pool

    @functools.cached_property
    def _ioctx(self):
        ioctx = self.pool.cluster.open_ioctx(self.pool.name)
        ioctx.set_namespace(NAMESPACE)
        return ioctx

    def put_object(self, name, data=b""):
        """Make or replace an object, in one operation."""
        self._list(LISTS, _part(name))
        self._list(LIST + _part(name), name)
        self._ioctx.write_full(name, data)

    def get_object(self, name, offset, length):
        """Its bytes, None when there is no object."""
        with contextlib.suppress(rados.ObjectNotFound):
            return self._ioctx.read(name, length, offset)

    def object_size(self, name):
        """Its size, None when there is no object."""
        with contextlib.suppress(rados.ObjectNotFound):
            return self._ioctx.stat(name)[0]

    def delete_object(self, name):
        with contextlib.suppress(rados.ObjectNotFound):
            self._ioctx.remove_object(name)
        self._strike(LIST + _part(name), name)

    def objects(self, folder):
        """The names that begin with it and a slash."""
        lists = [folder] if "/" in folder else self._listed(LISTS, folder + "/")
        return [name for one in lists for name in self._listed(LIST + _part(one), folder + "/")]

    def forget_objects(self, folder):
        """Remove the list of a folder that was emptied and has one of its own."""
        if folder == _part(folder):
            with contextlib.suppress(rados.ObjectNotFound):
                self._ioctx.remove_object(LIST + folder)
            self._strike(LISTS, folder)

    # -- lists

    def _list(self, list, key):
        with rados.WriteOpCtx() as operation:
            self._ioctx.set_omap(operation, (key,), (b"",))
            self._ioctx.operate_write_op(operation, list)

    def _strike(self, list, key):
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
