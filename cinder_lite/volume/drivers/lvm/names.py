"""The names of logical volumes, the same as Cinder's; LVM reserves names that begin with "snapshot"."""

from cinder_lite.volume.drivers import base

#: Prefixes: the copy that replaces a volume when it is reverted, and the snapshot that a volume is copied from.
REVERTED, COPIED = "_reverted-", "_copied-"


def snapshot_lv(snapshot: base.Snapshot) -> str:
    return f"_{snapshot.name}"


def shown(lv: str) -> str:
    """The service's name of a logical volume."""
    return lv.removeprefix("_") if lv.startswith("_snapshot-") else lv


def lv_of(name: str) -> str:
    """The logical volume of a service's name."""
    return f"_{name}" if name.startswith("snapshot-") else name
