"""The statuses of every resource, and the actions that lead from one to the next: the one place where they are named."""

import dataclasses

#: Back to the status the action began from.
BACK = "<back>"
#: The row is removed.
GONE = "<gone>"


@dataclasses.dataclass(frozen=True)
class Action:
    """One row: statuses it begins from (none: the row is new), status meanwhile, when done and when failed.

    `stage` is the service that does the work; None means that the API does all of it in its transaction.
    """

    name: str
    begins: tuple
    doing: str
    done: str
    failed: str
    stage: str | None = None


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
UNCONNECTABLE = (CREATING, DELETING, MAINTENANCE, RESTORING_BACKUP, DOWNLOADING, AWAITING, MANAGING, UNMANAGING, NOT_MANAGED,
                 "reverting")
#: Actions on a volume that end every host's connection to it as they begin: others take the place of its data, or it leaves.
#: Those that delete it end them with it.
DISCONNECTING = frozenset(("unmanage", "revert", "restore", "reimage", "reimage_reserved"))
#: Statuses from which a clone can be made.
CLONEABLE = (AVAILABLE, IN_USE)
#: How a status is shown where clients know another word for it.
SHOWN = {MANAGING: CREATING, NOT_MANAGED: ERROR, "error_managing_deleting": DELETING}

DELETABLE = (AVAILABLE, ERROR, "error_restoring", "error_extending", NOT_MANAGED)

VOLUME_ACTIONS = (
    Action("create", (), CREATING, AVAILABLE, ERROR, "scheduler"),
    Action("delete", DELETABLE, DELETING, GONE, "error_deleting", "volume"),
    Action("force_delete", VOLUME_STATUSES, DELETING, GONE, "error_deleting", "volume"),
    Action("forget", DELETABLE, DELETING, GONE, "error_deleting", None),
    Action("forget_forced", VOLUME_STATUSES, DELETING, GONE, "error_deleting", None),
    Action("extend", (AVAILABLE, IN_USE), "extending", BACK, "error_extending", "volume"),
    Action("revert", (AVAILABLE,), "reverting", AVAILABLE, ERROR, "volume"),
    # A migration shows in migration_status; only a locked one takes the volume from its users.
    Action("migrate", (AVAILABLE,), AVAILABLE, AVAILABLE, AVAILABLE, "scheduler"),
    Action("migrate_locked", (AVAILABLE,), MAINTENANCE, AVAILABLE, AVAILABLE, "scheduler"),
    # The server goes on meanwhile, with the copy that Nova makes.
    Action("migrate_in_use", (IN_USE,), IN_USE, IN_USE, IN_USE, "scheduler"),
    Action("stand_in", (), AVAILABLE, GONE, GONE, None),
    Action("retype", (AVAILABLE, IN_USE), RETYPING, BACK, BACK, "scheduler"),
    Action("upload", (AVAILABLE,), UPLOADING, BACK, BACK, "volume"),
    Action("upload_in_use", (AVAILABLE, IN_USE), UPLOADING, BACK, BACK, "volume"),
    # What has the whole content of an image is sound, whatever was wrong before.
    Action("reimage", (AVAILABLE, ERROR), DOWNLOADING, AVAILABLE, ERROR, "volume"),
    Action("reimage_reserved", (RESERVED,), DOWNLOADING, RESERVED, ERROR, "volume"),
    Action("manage", (), MANAGING, AVAILABLE, NOT_MANAGED, "scheduler"),
    Action("unmanage", (AVAILABLE, ERROR), UNMANAGING, GONE, "error_unmanaging", "volume"),
    Action("backup", (AVAILABLE, IN_USE), BACKING_UP, BACK, BACK, None),
    Action("backup_available", (AVAILABLE,), BACKING_UP, BACK, BACK, None),
    Action("restore", (AVAILABLE,), RESTORING_BACKUP, AVAILABLE, "error_restoring", None),
    Action("reserve", (AVAILABLE,), ATTACHING, IN_USE, BACK, None),
    Action("begin_detaching", (IN_USE,), DETACHING, AVAILABLE, IN_USE, None),
    Action("group_create", (), CREATING, AVAILABLE, ERROR, None),
    Action("group_delete", (*DELETABLE, "error_deleting"), DELETING, GONE, "error_deleting", None),
    Action("transfer", (AVAILABLE,), AWAITING, AVAILABLE, AVAILABLE, None),
)

SNAPSHOT_STATUSES = (CREATING, AVAILABLE, DELETING, ERROR, "error_deleting", BACKING_UP, "restoring", UNMANAGING,
                     "updating", "deleted")
SNAPSHOT_DELETABLE = (AVAILABLE, ERROR, "error_deleting")
SNAPSHOT_ACTIONS = (
    Action("create", (), CREATING, AVAILABLE, ERROR, "volume"),
    Action("delete", (AVAILABLE, ERROR), DELETING, GONE, "error_deleting", "volume"),
    Action("force_delete", SNAPSHOT_STATUSES, DELETING, GONE, "error_deleting", "volume"),
    Action("cascade", SNAPSHOT_DELETABLE, DELETING, GONE, "error_deleting", None),
    Action("group_create", (), CREATING, AVAILABLE, ERROR, None),
    Action("group_delete", SNAPSHOT_DELETABLE, DELETING, GONE, "error_deleting", None),
    Action("revert", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, None),
    Action("backup", (AVAILABLE,), BACKING_UP, BACK, BACK, None),
    Action("manage", (), CREATING, AVAILABLE, ERROR, "volume"),
    Action("unmanage", (AVAILABLE, ERROR), UNMANAGING, GONE, ERROR, "volume"),
)
#: What `os-update_snapshot_status` may write, by the present status.
SNAPSHOT_UPDATES = {CREATING: (CREATING, AVAILABLE, ERROR), DELETING: (DELETING, "error_deleting")}

BACKUP_STATUSES = (CREATING, AVAILABLE, DELETING, "restoring", ERROR, "error_deleting", "deleted")
BACKUP_ACTIONS = (
    Action("create", (), CREATING, AVAILABLE, ERROR, "backup"),
    Action("delete", (AVAILABLE, ERROR), DELETING, GONE, "error_deleting", "backup"),
    Action("force_delete", BACKUP_STATUSES, DELETING, GONE, "error_deleting", "backup"),
    Action("restore", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, "backup"),
    Action("lend", (AVAILABLE,), "restoring", AVAILABLE, AVAILABLE, None),
    Action("import", (), CREATING, AVAILABLE, ERROR, "backup"),
)
#: What a backup's `os-reset_status` may write.
BACKUP_RESETS = (AVAILABLE, ERROR)

#: What `reset_status` of groups and group snapshots may write.
GROUP_STATUSES = (CREATING, AVAILABLE, DELETING, "updating", ERROR, "error_deleting", "deleted")
GROUP_ACTIONS = (
    Action("create", (), CREATING, AVAILABLE, ERROR, "scheduler"),
    Action("create_from", (), CREATING, AVAILABLE, ERROR, "volume"),
    Action("delete", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, "volume"),
    Action("forget", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, None),
)
GROUP_SNAPSHOT_ACTIONS = (
    Action("create", (), CREATING, AVAILABLE, ERROR, "volume"),
    Action("delete", (AVAILABLE, ERROR, "error_deleting"), DELETING, GONE, ERROR, "volume"),
)

#: The statuses that only a live job may hold, per kind: what `doctor` and the sweep look for.
TRANSITIONAL = {
    "volume": (CREATING, DELETING, RETYPING, MANAGING, UNMANAGING, "extending", "reverting", BACKING_UP, RESTORING_BACKUP,
               UPLOADING, DOWNLOADING),
    "snapshot": (CREATING, DELETING, "restoring", BACKING_UP, UNMANAGING),
    "backup": (CREATING, DELETING, "restoring"),
    "group": (CREATING, DELETING),
    "group_snapshot": (CREATING, DELETING),
}

#: The stage of jobs that go on when Nova has done its part.
AT_NOVA = "nova"
QUEUED, RUNNING, SUCCEEDED, FAILED = "queued", "running", "succeeded", "failed"
LIVE_JOB = (QUEUED, RUNNING)

_ACTIONS = {"volume": VOLUME_ACTIONS, "snapshot": SNAPSHOT_ACTIONS, "backup": BACKUP_ACTIONS, "group": GROUP_ACTIONS,
            "group_snapshot": GROUP_SNAPSHOT_ACTIONS}


def without_work(kind, status):
    """What a status becomes when nobody works on the resource any more; BACK: what it was before that."""
    actions = _ACTIONS[kind]
    for action in actions:
        if action.doing == status != AVAILABLE:
            return action.failed
    ends = {end for action in actions for end in (action.done, action.failed)} | {AVAILABLE, RESERVED, IN_USE}
    return status if status in ends or status in VOLUME_STATUSES and status.startswith(ERROR) else ERROR
