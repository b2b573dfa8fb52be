"""Decides which recorded columns of the original volume a restored volume gets."""

from collections.abc import Mapping

from cinder_lite import db

#: Prefix of the name of a volume created by a restore, until the recorded name replaces it.
UNNAMED = "restore_backup_"
#: The description of a volume created by a restore.
DESCRIPTION = "auto-created_from_restore_from_backup"


def columns(record: Mapping, backup: db.Row, volume: db.Row) -> dict:
    """The new columns of the volume (its present row) after a restore of the backup.

    As in Cinder, a named volume keeps its name and description, and values that were not recorded stay: the metadata if
    the original had none, the image properties if it was not created from an image.
    """
    found: dict = {"metadata": dict(record.get("metadata") or volume.metadata)}
    source = found["metadata"].get("src_backup_id", backup.id)
    if backup.volume_id != volume.id or source != backup.id:
        found["metadata"]["src_backup_id"] = backup.id
    if record.get("name") and (not volume.name or volume.name.startswith(UNNAMED)):
        found |= {"name": record["name"], "description": record.get("description")}
    if record.get("image_metadata"):
        found["image_metadata"] = record["image_metadata"]
    if record.get("bootable") or record.get("image_metadata"):
        found["bootable"] = True
    return found
