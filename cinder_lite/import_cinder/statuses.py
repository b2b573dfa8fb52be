"""Replaces the transitional statuses that a stopped Cinder left in imported resources."""

import collections
from collections.abc import Callable

from cinder_lite import states
from cinder_lite.db import attachments
from cinder_lite.import_cinder.source import Records, Row
from cinder_lite.states import lookup

Attached = collections.namedtuple("Attached", "attach_status")


def present(found: Records, volume_id: str) -> list[Row]:
    """The attachments of a volume that are attached, attaching or reserved."""
    return [row for row in found.lists("volume_attachment", "volume_id").get(volume_id, ())
            if row["attach_status"] in attachments.STRENGTH]


def _by_attachments(found, row):
    return attachments.strongest([Attached(one["attach_status"]) for one in present(found, row["id"])])


def volume(found: Records, row: Row) -> tuple[str, str, str | None]:
    """(status, attach_status, migration_status) of a volume."""
    status, attach_status = _by_attachments(found, row)
    settled = lookup.without_work("volume", row["status"])
    if row["status"] == states.AWAITING and row["id"] in found.by("transfers", "volume_id"):
        settled = states.AWAITING
    elif settled == states.BACK or row["status"] in states.ATTACHMENT_DRIVEN or attach_status != states.DETACHED and (
            settled == states.AVAILABLE):
        settled = status
    moving = row["migration_status"]
    if moving in (None, "", states.NO_MIGRATION):
        moving = None
    elif moving not in states.NOT_MIGRATING:
        moving = states.NOT_MIGRATED
    return settled, attach_status, moving


def volume_status(row: Row, found: Records) -> str:
    return volume(found, row)[0]


def attach_status(row: Row, found: Records) -> str:
    return volume(found, row)[1]


def migration_status(row: Row, found: Records) -> str | None:
    return volume(found, row)[2]


def other(kind: str) -> Callable[[Row, Records], str]:
    """A function for the status of resources of a kind without attachments."""
    def status(row, _found):
        settled = lookup.without_work(kind, row["status"])
        return states.AVAILABLE if settled == states.BACK else settled

    return status
