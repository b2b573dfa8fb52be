"""Rows of attachments. A volume's status follows the strongest of its attachments."""

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import listing, schema

A = schema.attachments
ROW = sa.select(A)
_BY_ID = ROW.where(A.c.id == sa.bindparam("id"))
_OF_VOLUME = ROW.where(A.c.volume_id == sa.bindparam("volume_id")).order_by(A.c.created_at, A.c.id)

LISTING = listing.Listing(A, frozenset((
    "id", "volume_id", "attach_status", "instance_uuid", "attached_at", "created_at", "updated_at")))

#: attach_status of an attachment -> status of its volume, strongest first.
STRENGTH = {states.ATTACHED: states.IN_USE, states.ATTACHING: states.ATTACHING, states.RESERVED: states.RESERVED}


def get(tx, ctx, id):
    """The attachment, if the asker may see it. Raises AttachmentNotFound."""
    row = find(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.AttachmentNotFound(id=id)
    return row


def find(tx, id):
    return tx.execute(_BY_ID, {"id": id}).first()


def page(tx, where, paging, visible):
    return LISTING.page(tx, ROW, where, paging, visible)


def visible_to(ctx, all_projects):
    if ctx.is_admin and all_projects:
        return sa.true()
    return A.c.project_id == ctx.project_id


def of_volume(tx, volume_id):
    """The volume's attachments, oldest first."""
    return tx.execute(_OF_VOLUME, {"volume_id": volume_id}).all()


def of_volumes(tx, ids):
    """{volume id: its attached attachments} for a page of volumes, by one statement."""
    found = {}
    if ids:
        rows = tx.execute(ROW.where(A.c.volume_id.in_(ids), A.c.attach_status == states.ATTACHED)
                          .order_by(A.c.created_at, A.c.id))
        for row in rows:
            found.setdefault(row.volume_id, []).append(row)
    return found


def insert(tx, **values):
    tx.execute(sa.insert(A), {"created_at": db.now(), **values})


def update(tx, id, **values):
    """False when the attachment is gone."""
    return tx.execute(sa.update(A).where(A.c.id == id).values(updated_at=db.now(), **values)).rowcount == 1


def delete(tx, id):
    """False when it was gone already."""
    return tx.execute(sa.delete(A).where(A.c.id == id)).rowcount == 1


def give(tx, from_volume, to_volume):
    """The attachments of one volume become another's."""
    tx.execute(sa.update(A).where(A.c.volume_id == from_volume.id).values(
        volume_id=to_volume.id, project_id=to_volume.project_id, updated_at=db.now()))


def delete_all(tx, volume_id):
    tx.execute(sa.delete(A).where(A.c.volume_id == volume_id))


def strongest(rows):
    """(status, attach_status) that a volume has by these attachments."""
    held = {row.attach_status for row in rows}
    for attach_status, status in STRENGTH.items():
        if attach_status in held:
            return status, attach_status
    return states.AVAILABLE, states.DETACHED
