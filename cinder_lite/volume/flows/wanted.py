"""What a volume that is asked for looks like, as the API hands it to the create flow."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A volume as it was asked for. `size` is in GiB, None when the source decides; at most one source is given.

    `image` is an image.record.Image.
    """

    size: int | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None
    zone: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    backup_id: str | None = None
    image: object = None
    group_id: str | None = None
    metadata: dict = dataclasses.field(default_factory=dict)
    hints: dict = dataclasses.field(default_factory=dict)
