"""Parses an image's description from Glance, and selects the metadata that a volume keeps of it."""

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping

ACTIVE = "active"
GIB = 1024**3
#: Glance's own fields of an image; all others are properties set by users.
BASE = frozenset((
    "id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value",
    "owner", "size", "virtual_size", "container_format", "disk_format", "created_at", "updated_at", "tags",
    "direct_url", "min_ram", "min_disk", "self", "file", "schema", "locations", "stores"))
#: Fields that are read as they are, or None.
SAME = ("name", "size", "virtual_size", "disk_format", "container_format", "checksum", "visibility")
#: Prefix of Glance's internal properties.
INTERNAL = "os_glance_"
#: Prefixes of properties that belong to one image's data, or to Glance; they are not copied to other images.
NOT_COPIED = ("os_glance", "img_signature", "signature_verified")
#: Further properties that Glance refuses.
REFUSED = frozenset(("deleted", "deleted_at"))


@dataclasses.dataclass(frozen=True)
class Image:
    """Sizes are in bytes, `min_disk` in GiB, `min_ram` in MiB; `properties` is {name: text}."""

    id: str
    name: str | None = None
    status: str = ACTIVE
    size: int | None = None
    virtual_size: int | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    checksum: str | None = None
    hash_algorithm: str | None = None
    hash_value: str | None = None
    visibility: str | None = None
    protected: bool = False
    #: URLs of the image's data, if Glance shows them.
    locations: tuple[str, ...] = ()
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    #: An image's data is never encrypted with a volume's key.
    encryption_key_id: None = None

    @classmethod
    def read(cls, document: Mapping) -> typing.Self:
        """The image described by a document of Glance's API."""
        properties = {key: value for key, value in document.items()
                      if key not in BASE and not key.startswith(INTERNAL) and isinstance(value, str)}
        return cls(
            id=document["id"], status=document["status"], **{name: document.get(name) for name in SAME},
            min_disk=document.get("min_disk") or 0, min_ram=document.get("min_ram") or 0,
            hash_algorithm=document.get("os_hash_algo"), hash_value=document.get("os_hash_value"),
            protected=bool(document.get("protected")), locations=_locations(document), properties=properties)

    @property
    def gigabytes(self) -> int:
        """The smallest volume size in GiB for the sizes that Glance reports."""
        return max(1, -(-max(self.size or 0, self.virtual_size or 0) // GIB))

    @property
    def volume_type(self) -> str | None:
        """The name of the volume type that the image requests, or None."""
        return self.properties.get("cinder_img_volume_type")

    @property
    def snapshot_id(self) -> str | None:
        """The volume snapshot behind an image without data (Nova's image of a server booted from a volume), or None."""
        if self.size:
            return None
        try:
            devices = json.loads(self.properties.get("block_device_mapping", "[]"))
            return next((one["snapshot_id"] for one in devices if one.get("snapshot_id")
                         and one.get("boot_index", 0) in (0, "0", None)), None)
        except (ValueError, TypeError, AttributeError):
            return None

    def metadata(self, core: Iterable[str]) -> dict[str, str]:
        """The metadata that a volume keeps of the image: its properties, and those of its fields that `core` names."""
        described = {
            "image_id": self.id, "image_name": self.name, "checksum": self.checksum,
            "container_format": self.container_format, "disk_format": self.disk_format, "min_disk": self.min_disk,
            "min_ram": self.min_ram, "size": self.size}
        kept = {name: str(described[name]) for name in core if described.get(name) is not None}
        return {**self.properties, **kept, "image_id": self.id}


def _locations(document):
    urls = [document.get("direct_url"), *(one.get("url") for one in document.get("locations") or ())]
    return tuple(dict.fromkeys(url for url in urls if url))
