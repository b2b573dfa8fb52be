"""What logical volumes are called, as Cinder calls them; LVM takes names that begin with "snapshot" for itself."""

#: Before the name of a volume: what takes its place when it is reverted, and of what it is copied.
REVERTED, COPIED = "_reverted-", "_copied-"


def snapshot_lv(snapshot):
    return f"_{snapshot.name}"


def shown(lv):
    """The name that the service knows it by."""
    return lv.removeprefix("_") if lv.startswith("_snapshot-") else lv


def lv_of(name):
    """The logical volume that the service knows by that name."""
    return f"_{name}" if name.startswith("snapshot-") else name
