"""The request for a volume that the API passes to the create flow."""

import dataclasses

from cinder_lite.image.record import Image


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A requested volume. `size` is in GiB, None for the source's size; at most one source is given."""

    size: int | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None
    zone: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    backup_id: str | None = None
    image: Image | None = None
    group_id: str | None = None
    metadata: dict = dataclasses.field(default_factory=dict)
    hints: dict = dataclasses.field(default_factory=dict)
