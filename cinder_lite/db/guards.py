"""Declares the conditions besides the status under which an action may begin, with the sentences of their refusal."""

import dataclasses

import sqlalchemy as sa

from cinder_lite import states
from cinder_lite.db import schema, services


@dataclasses.dataclass(frozen=True)
class Guard:
    """A condition on the row besides its status, and the sentence of the refusal when it is not met.

    With `across` the condition reads other rows: then the row is locked first, so that this action and transactions
    that add such rows (and lock it too, see `Lifecycle.hold`) run one after the other.
    """

    clause: sa.ColumnElement
    says: str
    across: bool = False


V, S, B, F = schema.volumes, schema.snapshots, schema.backups, schema.services


def _frozen(host):
    """Whether the backend of a volume's host string has been frozen."""
    return sa.exists().where(F.c.frozen.is_(True), services.of_host(host))


def _copying(column, id):
    """Whether a volume with the id in that column is being created."""
    copy = V.alias()
    return sa.exists().where(copy.c[column] == id, copy.c.status == states.CREATING)


_WAIT = "a volume is being created from it; wait until that is complete"

# -- volumes

NOT_ATTACHED = Guard(V.c.attach_status == states.DETACHED, "it is attached; detach it first")
HOSTS_LIMITS_KEPT = Guard(
    NOT_ATTACHED.clause, "it is attached, and the limits that its host applies (front-end QoS specs) would change; "
                         "detach it first")
NOT_MIGRATING = Guard(V.c.migration_status.is_(None) | V.c.migration_status.in_(states.NOT_MIGRATING),
                      "it is being migrated")
#: The volume that Nova copies a server's volume to is attached to that server meanwhile.
NOT_MOVING = Guard(NOT_MIGRATING.clause | V.c.migration_status.startswith(states.TARGET), NOT_MIGRATING.says)
HAS_PLACE = Guard(V.c.host.is_not(None), "it has not been placed on a backend, so it holds no data")
NOT_FROZEN = Guard(~_frozen(V.c.host), "its backend is frozen; thaw it first")
NO_GROUP = Guard(V.c.group_id.is_(None), "it belongs to a group")
NO_SNAPSHOTS = Guard(~sa.exists().where(S.c.volume_id == V.c.id),
                     "it has snapshots; delete them first, or delete it with cascade", across=True)
ALONE = Guard(NO_SNAPSHOTS.clause, "it has snapshots, which cannot move with it; delete them first", across=True)
LEFT_ALONE = Guard(NO_SNAPSHOTS.clause, "it has snapshots; unmanage or delete them first", across=True)
NOT_ENCRYPTED = Guard(V.c.encryption_key_id.is_(None), "it is encrypted, and its key would be lost")
NO_COPIES = Guard(~_copying("source_volid", V.c.id), _WAIT, across=True)
NO_SNAPSHOT_COMING = Guard(~sa.exists().where(S.c.volume_id == V.c.id, S.c.status == states.CREATING),
                           "a snapshot of it is being created; wait until that is complete", across=True)
COUNTED = Guard(V.c.counted.is_(True), "it was never created; delete it and create another")
NOT_ENCRYPTED_TO_SHARE = Guard(V.c.encryption_key_id.is_(None), "it is encrypted, and an image of it could not be read")
#: Accepted copies must get the present data of the volume.
OVERWRITABLE = (HAS_PLACE, NOT_MIGRATING, NO_COPIES, NO_SNAPSHOT_COMING)
MOVABLE_IN_USE = (HAS_PLACE, NOT_FROZEN, NOT_MIGRATING, NO_GROUP, ALONE, NO_COPIES)
MOVABLE = (NOT_ATTACHED, *MOVABLE_IN_USE)
DELETABLE = (NOT_FROZEN, NOT_ATTACHED, NOT_MIGRATING, NO_GROUP, NO_COPIES)
UNMANAGEABLE = (HAS_PLACE, *DELETABLE, LEFT_ALONE, NOT_ENCRYPTED)
NOT_ENCRYPTED_TO_GIVE = Guard(V.c.encryption_key_id.is_(None), (
    "it is encrypted; /volume-transfers takes such volumes from microversion 3.70 on, with their snapshots"))


def bigger_than_present(new_size: int) -> Guard:
    return Guard(V.c.size < new_size, f"the new size, {new_size} GiB, must be larger than the present one")


def still_of_size(size: int) -> Guard:
    """The size has not changed since it was read."""
    return Guard(V.c.size == size, "its size has just been changed by another request; look at it and try again")


def still_of_type(type_id: str) -> Guard:
    """The type has not changed since it was read."""
    return Guard(V.c.volume_type_id == type_id, "its type has just been changed by another request")


DELETABLE_WITH_GROUP = (NOT_FROZEN, NOT_ATTACHED, NOT_MIGRATING, NO_COPIES, NO_SNAPSHOTS)

# -- snapshots

_OF_SNAPSHOT = V.alias()
SNAPSHOT_NOT_FROZEN = Guard(
    ~sa.exists().where(_OF_SNAPSHOT.c.id == S.c.volume_id, _frozen(_OF_SNAPSHOT.c.host)), NOT_FROZEN.says)
SNAPSHOT_NOT_COPIED = Guard(~_copying("snapshot_id", S.c.id), _WAIT, across=True)
NOT_IN_GROUP_SNAPSHOT = Guard(S.c.group_snapshot_id.is_(None), "it belongs to a group snapshot")
SNAPSHOT_DELETABLE = (SNAPSHOT_NOT_FROZEN, NOT_IN_GROUP_SNAPSHOT, SNAPSHOT_NOT_COPIED)
SNAPSHOT_DELETABLE_WITH_GROUP = (SNAPSHOT_NOT_FROZEN, SNAPSHOT_NOT_COPIED)

# -- backups

_CHILD = B.alias()
NO_CHILDREN = Guard(~sa.exists().where(_CHILD.c.parent_id == B.c.id),
                    "incremental backups depend on it; delete them first", across=True)
NOT_RESTORING = Guard(~_copying("backup_id", B.c.id), _WAIT, across=True)

# -- groups

NO_GROUP_SNAPSHOTS = Guard(~sa.exists().where(schema.group_snapshots.c.group_id == schema.groups.c.id),
                           "it has group snapshots; delete them first", across=True)
