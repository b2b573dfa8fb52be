"""Statuses that a stopped Cinder left: work that is under way nowhere is settled, and each decision is told."""

import collections

from cinder_lite import states
from cinder_lite.db import attachments

Attached = collections.namedtuple("Attached", "attach_status")


def present(found, volume_id):
    """A volume's attachments that there are."""
    return [row for row in found.lists("volume_attachment", "volume_id").get(volume_id, ())
            if row["attach_status"] in attachments.STRENGTH]


def _by_attachments(found, row):
    return attachments.strongest([Attached(one["attach_status"]) for one in present(found, row["id"])])


def volume(found, row):
    """(status, attach_status, migration_status) of a volume."""
    status, attach_status = _by_attachments(found, row)
    settled = states.without_work("volume", row["status"])
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


def volume_status(row, found):
    return volume(found, row)[0]


def attach_status(row, found):
    return volume(found, row)[1]


def migration_status(row, found):
    return volume(found, row)[2]


def other(kind):
    """The status of a resource that has no attachments."""
    def settle(row, _found):
        settled = states.without_work(kind, row["status"])
        return states.AVAILABLE if settled == states.BACK else settled

    return settle
