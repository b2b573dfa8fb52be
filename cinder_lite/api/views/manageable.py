"""Renders volumes and snapshots of a backend that can be managed."""

from collections.abc import Callable
from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, View
from cinder_lite.volume.drivers.base import GIB


def _size(one: dict[str, Any], _req: Request) -> int:
    return -(-one["size"] // GIB)


def _item(key: str) -> Callable[[dict[str, Any], Request], Any]:
    return lambda one, _req: one[key]


_SHORT = (Field("reference", _item("reference")), Field("size", _size),
          Field("safe_to_manage", _item("safe_to_manage")))
_MORE = (Field("reason_not_safe", _item("reason_not_safe")), Field("cinder_id", _item("cinder_id")),
         Field("extra_info", _item("extra_info")))
_SOURCE = (Field("source_reference", _item("source_reference")),)

VOLUME, VOLUME_DETAIL = View(*_SHORT), View(*_SHORT, *_MORE)
SNAPSHOT, SNAPSHOT_DETAIL = View(*_SHORT, *_SOURCE), View(*_SHORT, *_SOURCE, *_MORE)
