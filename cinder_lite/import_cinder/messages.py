"""Converts the user messages of Cinder, which stores numbers of actions and causes, to text."""

#: Number of an action -> its text.
ACTIONS = {
    "001": "schedule allocate volume", "002": "attach volume", "003": "copy volume to image",
    "004": "update attachment", "005": "copy image to volume", "006": "unmanage volume", "007": "extend volume",
    "008": "create volume from backend storage", "009": "create snapshot", "010": "delete snapshot",
    "011": "update snapshot", "012": "update snapshot metadata", "013": "create backup", "014": "delete backup",
    "015": "restore backup", "016": "reimage volume",
}
#: Number of a cause -> its text.
CAUSES = {
    "002": "the driver was not ready", "003": "no backend could take the volume", "004": "the upload failed",
    "005": "the attach mode is not valid", "006": "the quota was exceeded",
    "007": "the image does not fit on this host", "008": "encrypted volumes cannot be unmanaged",
    "009": "the compute service failed", "010": "the driver failed",
    "011": "the image's signature is not valid", "012": "the driver failed", "013": "the driver failed",
    "014": "the metadata could not be changed", "015": "the snapshot is in use", "016": "the driver failed",
    "017": "the backup's status did not allow it", "018": "the backup service was down",
    "019": "the volume could not be read", "020": "the backup driver failed", "021": "it could not be attached",
    "022": "it could not be detached", "023": "a temporary copy is left", "024": "there was no backup service",
    "025": "the backup driver failed", "026": "the backup driver failed", "027": "the volume's status did not allow it",
    "028": "the compute service failed", "029": "the image's format does not match the volume type",
    "030": "an incremental backup was not possible, and a full one was created",
}


def sentence(action: str | None, cause: str | None) -> str:
    """The text of a message."""
    return (f"{ACTIONS.get(action or '', 'an operation')}: "
            f"{CAUSES.get(cause or '', 'it failed for an unknown reason')}")
