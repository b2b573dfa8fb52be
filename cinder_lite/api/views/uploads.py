"""Renders the upload of a volume to an image."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.types import visible_specs
from cinder_lite.api.views.volumes import time


def upload(row: Row, type_: Row | None, image: Any, req: Request) -> dict[str, Any]:
    """The response of os-volume_upload_image."""
    of_type = None if type_ is None else {
        "id": type_.id, "name": type_.name, "description": type_.description, "is_public": type_.is_public,
        "extra_specs": visible_specs(type_, req), "qos_specs_id": type_.qos_specs_id, "deleted": False,
        "deleted_at": None, "created_at": time(type_.created_at), "updated_at": time(type_.updated_at)}
    return {
        "id": row.id, "updated_at": time(row.updated_at), "status": row.status, "display_description": row.description,
        "size": row.size, "volume_type": of_type, "image_id": image.id, "image_name": image.name,
        "container_format": image.container_format, "disk_format": image.disk_format, "visibility": image.visibility,
        "protected": image.protected}
