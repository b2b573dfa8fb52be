"""Handles POST /volumes/{volume_id}/action."""

from typing import Any

from cinder_lite import errors
from cinder_lite.api import pages
from cinder_lite.api.body import is_true
from cinder_lite.api.clusters import place
from cinder_lite.api.request import Request
from cinder_lite.api.views import uploads
from cinder_lite.db import volumes


def attach(req: Request) -> None:
    """os-attach: record that the volume is attached to a server or host."""
    body = req.body
    if bool(body.get("instance_uuid")) == bool(body.get("host_name")):
        raise errors.BadRequest("Exactly one of instance_uuid and host_name is needed.")
    req.attachments.attach(req.ctx, req.volume_id, body.get("instance_uuid"), body.get("host_name"),
                           body["mountpoint"], body.get("mode", "rw"))


def detach(req: Request) -> None:
    """os-detach: record that the volume is detached."""
    req.attachments.detach(req.ctx, req.volume_id, (req.body or {}).get("attachment_id"))


def reserve(req: Request) -> None:
    """os-reserve: reserve a volume for a server."""
    req.attachments.reserve(req.ctx, req.volume_id)


def unreserve(req: Request) -> None:
    """os-unreserve: release a reserved volume."""
    req.attachments.unreserve(req.ctx, req.volume_id)


def begin_detaching(req: Request) -> None:
    """os-begin_detaching: begin to detach a volume."""
    req.attachments.begin_detaching(req.ctx, req.volume_id)


def roll_detaching(req: Request) -> None:
    """os-roll_detaching: cancel the detaching of a volume."""
    req.attachments.roll_detaching(req.ctx, req.volume_id)


def initialize_connection(req: Request) -> dict[str, Any]:
    """os-initialize_connection: export the volume to a host, and return the connection information."""
    return {"connection_info": req.attachments.initialize(req.ctx, req.volume_id, req.body["connector"])}


def terminate_connection(req: Request) -> None:
    """os-terminate_connection: end a host's connection to the volume."""
    req.attachments.terminate(req.ctx, req.volume_id, req.body["connector"] or {})


def force_detach(req: Request) -> None:
    """os-force_detach: detach a volume in any status."""
    req.attachments.force_detach(req.ctx, req.volume_id, req.body.get("attachment_id"), req.body.get("connector") or {})


def extend(req: Request) -> None:
    """os-extend: extend a volume; from 3.42 on also one in use."""
    attached_too = req.at("3.42") and req.allows("volume:extend_attached_volume", req.ctx.project_id)
    new_size = int(req.body["new_size"])
    req.volumes.extend(req.ctx, req.volume_id, new_size, attached_too)


def revert(req: Request) -> None:
    """revert: revert the volume to its newest snapshot."""
    req.volumes.revert(req.ctx, req.volume_id, req.body.get("snapshot_id"))


def retype(req: Request) -> None:
    """os-retype: change the volume's type; with the migration_policy on-demand it may be migrated."""
    body = req.body
    req.migrations.retype(req.ctx, req.volume_id, body["new_type"], body.get("migration_policy") == "on-demand")


def complete_migration(req: Request) -> dict[str, Any]:
    """os-migrate_volume_completion: complete a migration after Nova has copied the volume, or failed to."""
    body = req.body
    return {"save_volume_id": req.migration_completion.complete(
        req.ctx, req.volume_id, body["new_volume"], is_true(body.get("error") or False))}


def complete_extend(req: Request) -> None:
    """os-extend_volume_completion: refused, as no extend waits for Nova."""
    row = req.volumes.get(req.ctx, req.volume_id)
    raise errors.InvalidState(kind="volume", reason=f"no extend of {row.id} waits for its server; it is {row.status}")


def migrate(req: Request) -> None:
    """os-migrate_volume: migrate a volume to another backend or pool."""
    body = req.body
    host = place(req, body)
    if host is None:
        raise errors.InvalidInput(reason="Exactly one of host and cluster is needed." if req.at("3.16") else
                                  "A host is needed: host@backend or host@backend#pool.")
    req.migrations.migrate(req.ctx, req.volume_id, host, is_true(body.get("lock_volume") or False))


def update_readonly_flag(req: Request) -> None:
    """os-update_readonly_flag: make a volume read-only or writable."""
    req.volumes.set_readonly(req.ctx, req.volume_id, is_true(req.body["readonly"]))


def set_bootable(req: Request) -> None:
    """os-set_bootable: set whether a volume is bootable."""
    req.volumes.update(req.ctx, req.volume_id, bootable=is_true(req.body["bootable"]))


def reset_status(req: Request) -> None:
    """os-reset_status: set statuses without any other change."""
    values = {key: value.lower() for key, value in req.body.items() if value}
    if not values:
        raise errors.BadRequest("At least one of status, attach_status and migration_status is needed.")
    req.volumes.reset_status(req.ctx, req.volume_id, **values)


def force_delete(req: Request) -> None:
    """os-force_delete: delete a volume in any status."""
    req.volumes.delete(req.ctx, req.volume_id, force=True)


# -- images

def upload_image(req: Request) -> dict[str, Any]:
    """os-volume_upload_image: create an image from the volume."""
    body = req.body
    visibility = body.get("visibility", "private")
    if visibility == "public":
        req.enforce("volume_extension:volume_actions:upload_public")
    row, type_, image = req.images.upload(
        req.ctx, req.volume_id, is_true(body.get("force", False)), name=body["image_name"], visibility=visibility,
        disk_format=body.get("disk_format", "raw"), container_format=body.get("container_format", "bare"),
        protected=is_true(body.get("protected", False)))
    return {"os-volume_upload_image": uploads.upload(row, type_, image, req)}


def reimage(req: Request) -> None:
    """os-reimage: rebuild the volume from an image."""
    reserved_too = is_true(req.body.get("reimage_reserved", False))
    if reserved_too:
        req.enforce("volume:reimage_reserved")
    req.images.reimage(req.ctx, req.volume_id, req.body["image_id"], reserved_too)


# -- image metadata

def set_image_metadata(req: Request) -> dict[str, Any]:
    """os-set_image_metadata: add items to the image metadata."""
    new = req.volumes.change_metadata(req.ctx, req.volume_id, lambda present: present | req.body["metadata"],
                                      "image_metadata")
    return {"metadata": new}


def show_image_metadata(req: Request) -> dict[str, Any]:
    """os-show_image_metadata: show the image metadata."""
    with req.db.read() as tx:
        return {"metadata": volumes.get(tx, req.ctx, req.volume_id).image_metadata}


def unset_image_metadata(req: Request) -> None:
    """os-unset_image_metadata: delete an item of the image metadata."""
    req.volumes.change_metadata(req.ctx, req.volume_id, lambda present: pages.without_key(
        present, req.body["key"], "volume", req.volume_id), "image_metadata")
