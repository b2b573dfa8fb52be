"""Reads and writes the rows of user messages, which explain why an accepted request failed."""

import datetime

import sqlalchemy as sa

from cinder_lite import context, db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import listing, schema
from cinder_lite.states import lookup

M = schema.messages
LISTING = listing.Resource(M, frozenset((
    "id", "event_id", "resource_uuid", "resource_type", "request_id", "message_level", "created_at")),
    sa.select(M), errors.MessageNotFound)
get, page = LISTING.get, LISTING.rows

RESOURCE_TYPES = {"volume": "VOLUME", "leftover": "VOLUME", "server": "VOLUME", "image": "VOLUME",
                  "snapshot": "VOLUME_SNAPSHOT", "backup": "VOLUME_BACKUP", "group": "VOLUME",
                  "group_snapshot": "VOLUME_SNAPSHOT"}

#: Action of a message -> (its number, its text), as in Cinder.
ACTIONS = {
    "schedule": ("001", "schedule allocate volume"), "attach": ("002", "attach volume"),
    "upload": ("003", "copy volume to image"), "reimage": ("016", "reimage volume"),
    "extend": ("007", "extend volume"), "create": ("008", "create volume from backend storage"),
    "snapshot create": ("009", "create snapshot"), "snapshot delete": ("010", "delete snapshot"),
    "snapshot revert": ("012", "revert volume to snapshot"), "delete": ("010", "delete volume"),
    "backup create": ("013", "create backup"), "backup delete": ("014", "delete backup"),
    "backup restore": ("015", "restore backup"), "migrate": ("017", "migrate volume"),
    "retype": ("018", "retype volume"), "manage": ("019", "manage volume"), "unmanage": ("006", "unmanage volume"),
    "snapshot manage": ("020", "manage snapshot"), "snapshot unmanage": ("021", "unmanage snapshot"),
    "snapshot keep": ("022", "keep snapshot"),
}
#: Cause of a message -> its number.
DETAILS = {"unknown": "001", "not ready": "002", "no backend": "003", "create failed": "012", "extend failed": "010",
           "snapshot create": "013", "snapshot delete": "014", "backup create": "017", "backup delete": "018",
           "backup restore": "019", "image format": "029"}

#: (action, cause) of the message for an action of a newer release.
UNKNOWN = ("create", "unknown")


def of_job(job: db.Row) -> tuple[str, str]:
    """(action, cause) of the message of a failed job."""
    row = lookup.find(job.kind, job.action)
    return UNKNOWN if row is None else row.message_at.get(job.stage) or row.message or UNKNOWN


def add(tx: db.Transaction, job: db.Row, action: str, detail: str, text: str, ttl: float,
        about: tuple[str, str] | None = None) -> None:
    """Add a message with the errors.Reason `text` for the project of the job.

    The message is about the job's resource, or about (kind, id) if given; it expires after `ttl` seconds.
    """
    number, prefix = ACTIONS[action]
    kind, id = about or (job.kind, job.resource_id)
    resource = RESOURCE_TYPES[kind]
    tx.execute(sa.insert(M).values(
        id=randomness.new_id(), project_id=job.project_id, request_id=job.request_id, resource_type=resource,
        resource_uuid=id, event_id=f"VOLUME_{resource}_{number}_{DETAILS[detail]}", message_level="ERROR",
        user_message=f"{prefix}: {errors.public(text)}", details=f"{prefix}: {text}", created_at=db.now(),
        expires_at=db.now() + datetime.timedelta(seconds=ttl)))


def visible_to(ctx: context.Context) -> listing.Condition:
    return M.c.project_id == ctx.project_id


def delete(tx: db.Transaction, id: str) -> None:
    tx.execute(sa.delete(M).where(M.c.id == id))


def purge(tx: db.Transaction, seconds: float | None = None) -> int:
    """Delete expired messages, or messages older than so many seconds. Returns their number."""
    old = M.c.expires_at < db.now()
    if seconds is not None:
        old = M.c.created_at < db.now() - datetime.timedelta(seconds=seconds)
    return tx.execute(sa.delete(M).where(old)).rowcount
