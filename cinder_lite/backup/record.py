"""What a restore gives a volume besides its data, of what the backup recorded of the volume that it was made of."""

#: The name of a volume that a restore makes when it is given none, until the recorded one takes its place.
UNNAMED = "restore_backup_"
#: The description of a volume that a restore makes.
DESCRIPTION = "auto-created_from_restore_from_backup"


def columns(record, backup, volume):
    """The columns of the volume, a row as it is now, when the backup has been restored to it.

    As in Cinder a volume that somebody has named keeps its name and description, and what was not recorded is left as it is:
    metadata of a volume that had none, the properties of an image where it was made of none.
    """
    found = {"metadata": dict(record.get("metadata") or volume.metadata)}
    made_of = found["metadata"].get("src_backup_id", backup.id)
    if backup.volume_id != volume.id or made_of != backup.id:
        found["metadata"]["src_backup_id"] = backup.id
    if record.get("name") and (not volume.name or volume.name.startswith(UNNAMED)):
        found |= {"name": record["name"], "description": record.get("description")}
    if record.get("image_metadata"):
        found["image_metadata"] = record["image_metadata"]
    if record.get("bootable") or record.get("image_metadata"):
        found["bootable"] = True
    return found
