"""The statuses of every resource, and the table of actions: one row holds all that is true of an action.

Everything else that needs a list of actions derives it from the rows: transitional statuses, the handlers of workers,
user messages, notifications, what `doctor` repairs, and the table in docs/jobs.md.
"""

import dataclasses
from typing import ClassVar

from cinder_lite.states.action import Action, Hold

#: Back to the status the action began from.
BACK = "<back>"
#: The row is removed.
GONE = "<gone>"

#: Stages: the service at which a job waits and is worked on. NOVA: the job goes on when Nova has done its part.
SCHEDULER, VOLUME, BACKUP, AT_NOVA = "scheduler", "volume", "backup", "nova"


# -- what an action holds besides the status of its resource

@dataclasses.dataclass(frozen=True)
class Counted(Hold):
    """Quota, and a volume's pool capacity, of the resource's own row: until the row was never made, or is gone."""

    of_row: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class CacheEntry(Hold):
    """A volume of the image cache's own project: deleted when it was not made."""

    of_row: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class Growth(Hold):
    """Quota and pool capacity of the GiB by which a volume grows."""


@dataclasses.dataclass(frozen=True)
class NewType(Hold):
    """Quota of the type that a volume and its snapshots are to have."""


@dataclasses.dataclass(frozen=True)
class Destination(Hold):
    """Capacity in the pool that a volume moves to, its copy there, and the volume's migration status.

    `marked`: the action always sets the migration status; else only a move does.
    """

    marked: bool = True


@dataclasses.dataclass(frozen=True)
class Connections(Hold):
    """The volume's connections to hosts, which end as the action begins; with `when_failed`, only when it fails."""

    when_failed: bool = False


@dataclasses.dataclass(frozen=True)
class FrozenCopy(Hold):
    """A snapshot on the backend, without a row, from which the action reads a volume that is in use."""


@dataclasses.dataclass(frozen=True)
class NewImage(Hold):
    """The image that the API has made for an upload: deleted when that fails, whether a worker began it or not."""


@dataclasses.dataclass(frozen=True)
class WaitingServers(Hold):
    """Servers that wait for the event of that name, whether the action succeeds or fails."""

    event: str


@dataclasses.dataclass(frozen=True)
class Source(Hold):
    """Another resource, in the status that its own `action` gives; the job's argument `arg` has its id.

    `unless`: only where the job has no such argument. `notify`: its owner gets a user message of its own.
    """

    kind: str
    action: str
    arg: str
    #: The column of the job's resource that has the id as well, where there is one.
    column: str = ""
    unless: str = ""
    notify: bool = False


@dataclasses.dataclass(frozen=True)
class Members(Hold):
    """Further resources, in the status that their own `action` gives: those whose `column` has the id of the job's
    resource.

    `arg`: only where the job has this argument; when that is an id, the member of that id alone.
    """

    kind: str
    action: str
    column: str
    arg: str = ""


#: How `doctor` repairs a status that no job holds: a new job, the action's end as failed, the end of a migration.
AGAIN, FAIL = "starts a new job to {action} it", "ends the action as failed"
END_MIGRATION = "ends the migration as failed"


AVAILABLE, IN_USE, ERROR = "available", "in-use", "error"
CREATING, DELETING, RESERVED, ATTACHING, DETACHING = "creating", "deleting", "reserved", "attaching", "detaching"
BACKING_UP, RESTORING_BACKUP, MAINTENANCE = "backing-up", "restoring-backup", "maintenance"
ATTACHED, DETACHED = "attached", "detached"
UPLOADING, DOWNLOADING, AWAITING = "uploading", "downloading", "awaiting-transfer"
RETYPING, MANAGING, UNMANAGING, NOT_MANAGED = "retyping", "managing", "unmanaging", "error_managing"

VOLUME_STATUSES = (
    CREATING, AVAILABLE, RESERVED, ATTACHING, IN_USE, DETACHING, MAINTENANCE, DELETING, ERROR, "error_deleting",
    NOT_MANAGED, MANAGING, BACKING_UP, "error_backing-up", RESTORING_BACKUP, "error_restoring",
    "error_extending", "extending", DOWNLOADING, UPLOADING, RETYPING, AWAITING)
#: Further statuses, which no client may write.
UNLISTED = ("reverting", UNMANAGING, "error_unmanaging", "error_managing_deleting", "migration_target_creating")
#: What `os-reset_status` may write.
VOLUME_RESETS = tuple(status for status in VOLUME_STATUSES if status != DELETING)
ATTACH_STATUSES = (DETACHED, ATTACHING, ATTACHED, RESERVED, "error_attaching", "error_detaching", "deleted")
#: What `os-reset_status` may write of them.
ATTACH_RESETS = (ATTACHED, DETACHED)
#: States of a connection: intended, made, made but to be exported anew, and to be undone.
CONNECTING, CONNECTED, RENEWING, ENDING = "connecting", "connected", "renewing", "ending"
STARTING, MIGRATING, COMPLETING, MIGRATED, NOT_MIGRATED = "starting", "migrating", "completing", "success", "error"
MIGRATION_STATUSES = ("migrating", "error", "success", "completing", "none", "starting")
#: Migration statuses, beside none at all, in which nothing is under way.
NOT_MIGRATING = (MIGRATED, NOT_MIGRATED)
#: Before the id of the volume in use whose copy a volume is: the migration status of the copy.
TARGET = "target:"
#: The word that clears a migration status.
NO_MIGRATION = "none"
#: Statuses by which a volume only mirrors its attachments.
ATTACHMENT_DRIVEN = (AVAILABLE, RESERVED, ATTACHING, IN_USE, DETACHING)
#: Statuses in which neither metadata nor names may be changed.
LOCKED = (MAINTENANCE,)
#: Statuses in which no host is connected: what the volume holds is not there yet, is being overwritten, or is leaving.
UNCONNECTABLE = (CREATING, DELETING, MAINTENANCE, RESTORING_BACKUP, DOWNLOADING, AWAITING, MANAGING, UNMANAGING,
                 NOT_MANAGED, "reverting")
#: Statuses from which a clone can be made.
CLONEABLE = (AVAILABLE, IN_USE)
#: How a status is shown where clients know another word for it.
SHOWN = {MANAGING: CREATING, NOT_MANAGED: ERROR, "error_managing_deleting": DELETING}

DELETABLE = (AVAILABLE, ERROR, "error_restoring", "error_extending", NOT_MANAGED)
SNAPSHOT_STATUSES = (CREATING, AVAILABLE, DELETING, ERROR, "error_deleting", BACKING_UP, "restoring", UNMANAGING,
                     "updating", "deleted")
SNAPSHOT_DELETABLE = (AVAILABLE, ERROR, "error_deleting")
#: What `os-update_snapshot_status` may write, by the present status.
SNAPSHOT_UPDATES = {CREATING: (CREATING, AVAILABLE, ERROR), DELETING: (DELETING, "error_deleting")}
BACKUP_STATUSES = (CREATING, AVAILABLE, DELETING, "restoring", ERROR, "error_deleting", "deleted")
#: What a backup's `os-reset_status` may write.
BACKUP_RESETS = (AVAILABLE, ERROR)
#: What `reset_status` of groups and group snapshots may write.
GROUP_STATUSES = (CREATING, AVAILABLE, DELETING, "updating", ERROR, "error_deleting", "deleted")

QUEUED, RUNNING, SUCCEEDED, FAILED = "queued", "running", "succeeded", "failed"
LIVE_JOB = (QUEUED, RUNNING)

# -- the table

#: Reasons that several rows share.
_BACKUP_IS = "the backup's own notifications report it"
_IMAGE_IS = "Glance's notifications report the image"
_AS_CINDER = "Cinder sends none either"
_NO_STATUS = "it gives no resource a status"
_BY_API = "one transaction of the API begins and ends it"
_BY_ATTACHMENT = "attachments set and clear this status"
_DELETE = {VOLUME: "volumes.delete"}
_DELETED = (Counted(), Members("snapshot", "cascade", "volume_id", arg="cascade"), Connections(when_failed=True))
_MIGRATE = {SCHEDULER: "migrate", VOLUME: "migration.migrate"}

_VOLUME = (
    Action("create", (), CREATING, AVAILABLE, ERROR,
           {SCHEDULER: "create", VOLUME: "creation.create", BACKUP: "backups.restore_to_new"},
           (Counted(), CacheEntry(), Source("backup", "restore_to_new", "backup_id", "backup_id")),
           message=("create", "create failed"), message_at={BACKUP: ("backup restore", "backup restore")},
           event="volume.create", remedy=AGAIN, writes=True),
    Action("delete", DELETABLE, DELETING, GONE, "error_deleting", _DELETE, _DELETED, message=("delete", "unknown"),
           event="volume.delete", remedy=AGAIN, writes=True),
    Action("force_delete", VOLUME_STATUSES, DELETING, GONE, "error_deleting", _DELETE, _DELETED,
           message=("delete", "unknown"), event="volume.delete", remedy=AGAIN, writes=True),
    Action("forget", DELETABLE, DELETING, GONE, "error_deleting", holds=(Counted(),), event="volume.delete",
           no_remedy=_BY_API),
    Action("forget_forced", VOLUME_STATUSES, DELETING, GONE, "error_deleting", holds=(Counted(),),
           event="volume.delete", no_remedy=_BY_API),
    Action("extend", (AVAILABLE, IN_USE), "extending", BACK, "error_extending", {VOLUME: "volumes.extend"}, (Growth(),),
           message=("extend", "extend failed"), event="volume.resize", remedy=FAIL),
    Action("revert", (AVAILABLE,), "reverting", AVAILABLE, ERROR, {VOLUME: "volumes.revert"},
           (Connections(), Members("snapshot", "revert", "volume_id", arg="snapshot_id")),
           message=("snapshot revert", "unknown"), event="volume.revert", remedy=FAIL, writes=True),
    # A migration shows in migration_status; only a locked one takes the volume from its users.
    Action("migrate", (AVAILABLE,), AVAILABLE, AVAILABLE, AVAILABLE, _MIGRATE, (Destination(),),
           message=("migrate", "unknown"), no_backend=("migrate", "no backend"), event="volume.migrate",
           remedy=END_MIGRATION),
    Action("migrate_locked", (AVAILABLE,), MAINTENANCE, AVAILABLE, AVAILABLE, _MIGRATE, (Destination(),),
           message=("migrate", "unknown"), no_backend=("migrate", "no backend"), event="volume.migrate",
           remedy=END_MIGRATION),
    # The server goes on meanwhile, with the copy that Nova makes.
    Action("migrate_in_use", (IN_USE,), IN_USE, IN_USE, IN_USE, _MIGRATE, (Destination(),),
           message=("migrate", "unknown"), no_backend=("migrate", "no backend"),
           silent="Nova moves the data, and the volume stays what it is", remedy=END_MIGRATION),
    Action("migration_target", (), AVAILABLE, GONE, GONE, silent="a copy that a migration makes",
           no_remedy="it is removed with the migration"),
    Action("retype", (AVAILABLE, IN_USE), RETYPING, BACK, BACK, {SCHEDULER: "retype", VOLUME: "migration.retype"},
           (NewType(), Destination(marked=False)), message=("retype", "unknown"), no_backend=("retype", "no backend"),
           event="volume.retype", remedy=FAIL),
    Action("upload", (AVAILABLE,), UPLOADING, BACK, BACK, {VOLUME: "images.upload"}, (NewImage(),),
           message=("upload", "unknown"), silent=_IMAGE_IS, remedy=FAIL),
    Action("upload_in_use", (AVAILABLE, IN_USE), UPLOADING, BACK, BACK, {VOLUME: "images.upload"},
           (FrozenCopy(), NewImage()), message=("upload", "unknown"), silent=_IMAGE_IS, remedy=FAIL),
    # It can be reserved meanwhile. What has the whole content of an image is sound, whatever was wrong before: for a
    # volume in error, "before" is what its attachments make it.
    Action("reimage", (AVAILABLE, ERROR), DOWNLOADING, BACK, ERROR, {VOLUME: "images.reimage"},
           (Connections(), WaitingServers("volume-reimaged")), message=("reimage", "unknown"), silent=_AS_CINDER,
           remedy=FAIL, writes=True),
    Action("reimage_reserved", (RESERVED,), DOWNLOADING, BACK, ERROR, {VOLUME: "images.reimage"},
           (Connections(), WaitingServers("volume-reimaged")), message=("reimage", "unknown"), silent=_AS_CINDER,
           remedy=FAIL, writes=True),
    Action("manage", (), MANAGING, AVAILABLE, NOT_MANAGED, {SCHEDULER: "manage", VOLUME: "manage.manage"}, (Counted(),),
           message=("manage", "unknown"), event="volume.manage_existing", remedy=FAIL),
    Action("unmanage", (AVAILABLE, ERROR), UNMANAGING, GONE, "error_unmanaging", {VOLUME: "manage.unmanage"},
           (Counted(), Connections()), message=("unmanage", "unknown"), event="volume.unmanage", remedy=AGAIN),
    Action("backup", (AVAILABLE, IN_USE), BACKING_UP, BACK, BACK, silent=_BACKUP_IS, remedy=FAIL),
    Action("backup_available", (AVAILABLE,), BACKING_UP, BACK, BACK, silent=_BACKUP_IS, remedy=FAIL),
    Action("restore", (AVAILABLE,), RESTORING_BACKUP, AVAILABLE, "error_restoring", holds=(Connections(),),
           silent=_BACKUP_IS, remedy=FAIL),
    Action("reserve", (AVAILABLE,), ATTACHING, IN_USE, BACK, silent=_BY_ATTACHMENT, no_remedy=_BY_ATTACHMENT),
    Action("begin_detaching", (IN_USE,), DETACHING, AVAILABLE, IN_USE, silent=_BY_ATTACHMENT, no_remedy=_BY_ATTACHMENT),
    Action("group_create", (), CREATING, AVAILABLE, ERROR, holds=(Counted(),), event="volume.create", remedy=AGAIN),
    Action("group_delete", (*DELETABLE, "error_deleting"), DELETING, GONE, "error_deleting",
           holds=(Counted(), Connections(when_failed=True)), event="volume.delete", remedy=AGAIN),
    Action("transfer", (AVAILABLE,), AWAITING, AVAILABLE, AVAILABLE, silent="a transfer sets and clears this status",
           no_remedy="a transfer sets and clears this status"),
)

_SNAPSHOT_DELETE = {VOLUME: "snapshots.delete"}
_SNAPSHOT = (
    Action("create", (), CREATING, AVAILABLE, ERROR, {VOLUME: "snapshots.create"}, (Counted(),),
           message=("snapshot create", "snapshot create"), event="snapshot.create", remedy=AGAIN),
    Action("delete", (AVAILABLE, ERROR), DELETING, GONE, "error_deleting", _SNAPSHOT_DELETE, (Counted(),),
           message=("snapshot delete", "snapshot delete"), event="snapshot.delete", remedy=AGAIN),
    Action("force_delete", SNAPSHOT_STATUSES, DELETING, GONE, "error_deleting", _SNAPSHOT_DELETE, (Counted(),),
           message=("snapshot delete", "snapshot delete"), event="snapshot.delete", remedy=AGAIN),
    Action("cascade", SNAPSHOT_DELETABLE, DELETING, GONE, "error_deleting", holds=(Counted(),), event="snapshot.delete",
           remedy=AGAIN),
    Action("group_create", (), CREATING, AVAILABLE, ERROR, holds=(Counted(),), event="snapshot.create", remedy=AGAIN),
    Action("group_delete", SNAPSHOT_DELETABLE, DELETING, GONE, "error_deleting", holds=(Counted(),),
           event="snapshot.delete", remedy=AGAIN),
    Action("revert", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, event="snapshot.revert", remedy=FAIL),
    Action("backup", (AVAILABLE,), BACKING_UP, BACK, BACK, silent=_BACKUP_IS, remedy=FAIL),
    Action("manage", (), CREATING, AVAILABLE, ERROR, {VOLUME: "manage.manage_snapshot"}, (Counted(),),
           message=("snapshot manage", "unknown"), event="snapshot.manage_existing_snapshot", remedy=AGAIN),
    Action("unmanage", (AVAILABLE, ERROR), UNMANAGING, GONE, ERROR, {VOLUME: "manage.unmanage_snapshot"}, (Counted(),),
           message=("snapshot unmanage", "unknown"), event="snapshot.unmanage", remedy=AGAIN),
)

_BACKUP_DELETE = {BACKUP: "backups.delete"}
# A backup is not made again without being asked: its source may have changed by now.
_BACKUP = (
    Action("create", (), CREATING, AVAILABLE, ERROR, {BACKUP: "backups.create"},
           (Counted(), Source("snapshot", "backup", "snapshot_id", "snapshot_id"),
            Source("volume", "backup", "volume_id", "volume_id", unless="snapshot_id"), FrozenCopy()),
           message=("backup create", "backup create"), event="backup.create", remedy=FAIL),
    Action("delete", (AVAILABLE, ERROR), DELETING, GONE, "error_deleting", _BACKUP_DELETE, (Counted(),),
           message=("backup delete", "backup delete"), event="backup.delete", remedy=AGAIN),
    Action("force_delete", BACKUP_STATUSES, DELETING, GONE, "error_deleting", _BACKUP_DELETE, (Counted(),),
           message=("backup delete", "backup delete"), event="backup.delete", remedy=AGAIN),
    Action("restore", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, {BACKUP: "backups.restore"},
           (Source("volume", "restore", "volume_id", "restore_volume_id", notify=True),),
           message=("backup restore", "backup restore"), event="backup.restore", remedy=FAIL, writes=True),
    Action("restore_to_new", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, event="backup.restore", remedy=FAIL),
    Action("import", (), CREATING, AVAILABLE, ERROR, {BACKUP: "backups.import_record"}, (Counted(),),
           message=("backup create", "unknown"), event="backup.import_record", remedy=FAIL),
)

_GROUP = (
    Action("create", (), CREATING, AVAILABLE, ERROR, {SCHEDULER: "group"}, message=("create", "unknown"),
           event="group.create", holds=(Counted(),), remedy=FAIL),
    Action("create_from", (), CREATING, AVAILABLE, ERROR, {VOLUME: "groups.create_from"},
           (Members("volume", "group_create", "group_id"), Counted()), message=("create", "unknown"),
           event="group.create", remedy=FAIL, writes=True),
    Action("delete", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, {VOLUME: "groups.delete"},
           (Counted(), Members("volume", "group_delete", "group_id")), message=("delete", "unknown"),
           event="group.delete", remedy=FAIL, writes=True),
    Action("forget", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, holds=(Counted(),),
           event="group.delete", no_remedy=_BY_API),
)

_GROUP_SNAPSHOT = (
    Action("create", (), CREATING, AVAILABLE, ERROR, {VOLUME: "groups.create_snapshot"},
           (Members("snapshot", "group_create", "group_snapshot_id"),), message=("snapshot create", "snapshot create"),
           event="group_snapshot.create", remedy=FAIL),
    Action("delete", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, {VOLUME: "groups.delete_snapshot"},
           (Members("snapshot", "group_delete", "group_snapshot_id"),), message=("snapshot delete", "snapshot delete"),
           event="group_snapshot.delete", remedy=FAIL),
)

#: Clean-up of what a pool still has of a volume, events for servers, and the deletion of images without data: these
#: jobs have no resource of their own.
_LEFTOVER = (
    Action("remove", (), AVAILABLE, AVAILABLE, AVAILABLE, {VOLUME: "migration.remove"}, message=("delete", "unknown"),
           no_holds=_NO_STATUS, silent=_AS_CINDER, no_remedy=_NO_STATUS),
    Action("remove_copy", (), AVAILABLE, AVAILABLE, AVAILABLE, {VOLUME: "migration.remove_copy"},
           message=("snapshot delete", "unknown"), no_holds=_NO_STATUS, silent=_AS_CINDER, no_remedy=_NO_STATUS),
)
_SERVER = (
    Action("volume-extended", (), AVAILABLE, AVAILABLE, AVAILABLE, {VOLUME: "servers.send"}, no_holds=_NO_STATUS,
           message=("extend", "unknown"), silent=_AS_CINDER, no_remedy=_NO_STATUS),
    Action("volume-reimaged", (), AVAILABLE, AVAILABLE, AVAILABLE, {VOLUME: "servers.send"}, no_holds=_NO_STATUS,
           message=("reimage", "unknown"), silent=_AS_CINDER, no_remedy=_NO_STATUS),
)
_IMAGE = (
    Action("delete", (), AVAILABLE, AVAILABLE, AVAILABLE, {VOLUME: "images.delete"}, no_holds=_NO_STATUS,
           message=("upload", "unknown"), silent=_IMAGE_IS, no_remedy=_NO_STATUS),
)

#: Kind -> name of the action -> its row.
ACTIONS: dict[str, dict[str, Action]] = {
    kind: {row.name: row for row in rows} for kind, rows in {
        "volume": _VOLUME, "snapshot": _SNAPSHOT, "backup": _BACKUP, "group": _GROUP, "group_snapshot": _GROUP_SNAPSHOT,
        "leftover": _LEFTOVER, "server": _SERVER, "image": _IMAGE}.items()}
#: Kinds whose jobs have no resource of their own.
STATELESS = ("leftover", "server", "image")
