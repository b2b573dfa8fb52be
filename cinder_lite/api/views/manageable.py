"""What answers show of what could be taken over."""

from cinder_lite.api.route import Field, View
from cinder_lite.volume.drivers.base import GIB


def _size(one, _req):
    return -(-one["size"] // GIB)


def _of(key):
    return lambda one, _req: one[key]


_SHORT = (Field("reference", _of("reference")), Field("size", _size), Field("safe_to_manage", _of("safe_to_manage")))
_MORE = (Field("reason_not_safe", _of("reason_not_safe")), Field("cinder_id", _of("cinder_id")),
         Field("extra_info", _of("extra_info")))
_SOURCE = (Field("source_reference", _of("source_reference")),)

VOLUME, VOLUME_DETAIL = View(*_SHORT), View(*_SHORT, *_MORE)
SNAPSHOT, SNAPSHOT_DETAIL = View(*_SHORT, *_SOURCE), View(*_SHORT, *_SOURCE, *_MORE)
