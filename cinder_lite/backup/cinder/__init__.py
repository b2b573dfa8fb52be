"""Reads and removes backups made by Cinder: the supported formats and their readers."""

from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.backup.cinder import chunked, rbd
from cinder_lite.backup.stores import base

CHUNKED, IMAGES = "cinder-chunks", "cinder-rbd"
#: Modules of Cinder's drivers, which its early releases recorded -> the format of their backups.
READABLE = {"cinder.backup.drivers.posix": CHUNKED, "cinder.backup.drivers.nfs": CHUNKED,
            "cinder.backup.drivers.ceph": IMAGES}


def _format(service):
    """The format of a driver's backups, by its module or class; None if it is not supported."""
    return READABLE.get(service) or READABLE.get((service or "").rpartition(".")[0])


def facts(row: Mapping, parent: Mapping | None) -> dict:
    """The recorded facts of a backup made by Cinder, from its row and its parent's, if it has one."""
    found = {"format": _format(row["service"])}
    if found["format"] == IMAGES:
        return found | rbd.facts(row["service_metadata"], parent["service_metadata"] if parent else None)
    return found | {"service_metadata": row["service_metadata"] or ""}


def refusal(service: str | None) -> str | None:
    """Why backups of a Cinder driver cannot be imported, or None."""
    if _format(service):
        return None
    return (f"no store here can read backups of {service or 'an unknown driver'}; restore it with Cinder first")


def made_by_cinder(row: db.Row) -> bool:
    """Whether Cinder made the backup."""
    return _format_of(row) in (CHUNKED, IMAGES)


def _format_of(row):
    return row.facts.get("format") if isinstance(row.facts, dict) else None


class CinderBackups:
    """The readers of backups made by Cinder; each has the methods record, exists, delete and restore."""

    def __init__(self, store: base.Store, conf: cfg.ConfigOpts) -> None:
        self._readers: dict[str | None, chunked.Chunks | rbd.Images] = {
            CHUNKED: chunked.Chunks(store), IMAGES: rbd.Images(conf)}

    def of(self, row: db.Row) -> chunked.Chunks | rbd.Images | None:
        """The reader of a backup, None for a backup of this service's format."""
        return self._readers.get(_format_of(row))
