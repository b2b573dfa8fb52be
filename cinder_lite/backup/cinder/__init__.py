"""Backups that Cinder made and that were taken over: which formats of its drivers are known, and what reads each."""

from cinder_lite.backup.cinder import chunked, rbd

CHUNKED, IMAGES = "cinder-chunks", "cinder-rbd"
#: Modules of Cinder's drivers, by which its early releases named them -> how they keep backups.
READABLE = {"cinder.backup.drivers.posix": CHUNKED, "cinder.backup.drivers.nfs": CHUNKED,
            "cinder.backup.drivers.ceph": IMAGES}


def _format(service):
    """How a driver keeps backups, by its module or class; None where that is not known."""
    return READABLE.get(service) or READABLE.get((service or "").rpartition(".")[0])


def facts(row, parent):
    """What the service keeps of a backup of Cinder's, from its row and that of its parent, if it has one."""
    found = {"format": _format(row["service"])}
    if found["format"] == IMAGES:
        return found | rbd.facts(row["service_metadata"], parent and parent["service_metadata"])
    return found | {"service_metadata": row["service_metadata"] or ""}


def refusal(service):
    """Why backups of one of Cinder's drivers cannot be taken over, or None."""
    if _format(service):
        return None
    return f"there is no store here that reads backups of {service or 'an unknown driver'}; restore it with Cinder first"


def made(row):
    """Whether Cinder made the backup."""
    return _format_of(row) in (CHUNKED, IMAGES)


def _format_of(row):
    return row.facts.get("format") if isinstance(row.facts, dict) else None


class Adopted:
    """What reads and removes them: `of` gives what has the methods record, exists, delete and restore."""

    def __init__(self, store, conf):
        self._readers = {CHUNKED: chunked.Chunks(store), IMAGES: rbd.Images(conf)}

    def of(self, row):
        """None for a backup of our own."""
        return self._readers.get(_format_of(row))
