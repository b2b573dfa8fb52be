"""Handlers of POST /volumes/{volume_id}/action."""

from cinder_lite import errors
from cinder_lite.api import pages
from cinder_lite.api.body import is_true
from cinder_lite.api.views import volumes as views
from cinder_lite.db import volumes


def attach(req):
    """os-attach: record that a server or host has the volume."""
    body = req.body
    if bool(body.get("instance_uuid")) == bool(body.get("host_name")):
        raise errors.BadRequest("Exactly one of instance_uuid and host_name is needed.")
    req.attachments.attach(req.ctx, req.volume_id, body.get("instance_uuid"), body.get("host_name"),
                           body["mountpoint"], body.get("mode", "rw"))


def detach(req):
    """os-detach: record that it has not any more."""
    req.attachments.detach(req.ctx, req.volume_id, (req.body or {}).get("attachment_id"))


def reserve(req):
    """os-reserve"""
    req.attachments.reserve(req.ctx, req.volume_id)


def unreserve(req):
    """os-unreserve"""
    req.attachments.unreserve(req.ctx, req.volume_id)


def begin_detaching(req):
    """os-begin_detaching"""
    req.attachments.begin_detaching(req.ctx, req.volume_id)


def roll_detaching(req):
    """os-roll_detaching"""
    req.attachments.roll_detaching(req.ctx, req.volume_id)


def initialize_connection(req):
    """os-initialize_connection: export the volume to a host and say how to connect."""
    return {"connection_info": req.attachments.initialize(req.ctx, req.volume_id, req.body["connector"])}


def terminate_connection(req):
    """os-terminate_connection"""
    req.attachments.terminate(req.ctx, req.volume_id, req.body["connector"] or {})


def force_detach(req):
    """os-force_detach"""
    req.attachments.force_detach(req.ctx, req.volume_id, req.body.get("attachment_id"),
                                 req.body.get("connector") or {})


def extend(req):
    """os-extend: grow a volume; from 3.42 also one in use."""
    attached_too = req.at("3.42") and req.allows("volume:extend_attached_volume", req.ctx.project_id)
    new_size = int(req.body["new_size"])
    req.volumes.extend(req.ctx, req.volume_id, new_size, attached_too)


def revert(req):
    """revert: set the volume back to its newest snapshot."""
    req.volumes.revert(req.ctx, req.volume_id, req.body.get("snapshot_id"))


def retype(req):
    """os-retype: give a volume another type, on another backend where migration_policy is on-demand."""
    body = req.body
    req.migrations.retype(req.ctx, req.volume_id, body["new_type"], body.get("migration_policy") == "on-demand")


def complete_migration(req):
    """os-migrate_volume_completion: what Nova says after copying a volume in use, or failing to."""
    body = req.body
    return {"save_volume_id": req.swaps.complete(req.ctx, req.volume_id, body["new_volume"],
                                                 is_true(body.get("error") or False))}


def complete_extend(req):
    """os-extend_volume_completion: what Nova says when an extend waits for it, which none does here."""
    row = req.volumes.get(req.ctx, req.volume_id)
    raise errors.InvalidState(kind="volume", reason=f"no extend of {row.id} waits for its server; it is {row.status}")


def migrate(req):
    """os-migrate_volume: give a volume another place."""
    body = req.body
    host, cluster = body.get("host"), body.get("cluster")
    if bool(host) == bool(cluster):
        raise errors.InvalidInput(reason="Exactly one of host and cluster is needed." if req.at("3.16") else
                                  "A host is needed: host@backend or host@backend#pool.")
    if cluster:
        raise errors.InvalidInput(reason=f"There is no cluster {cluster}; name a host.")
    req.migrations.migrate(req.ctx, req.volume_id, host, is_true(body.get("lock_volume") or False))


def update_readonly_flag(req):
    """os-update_readonly_flag"""
    req.volumes.set_readonly(req.ctx, req.volume_id, is_true(req.body["readonly"]))


def set_bootable(req):
    """os-set_bootable"""
    req.volumes.update(req.ctx, req.volume_id, bootable=is_true(req.body["bootable"]))


def reset_status(req):
    """os-reset_status: write statuses by hand."""
    values = {key: value.lower() for key, value in req.body.items() if value}
    if not values:
        raise errors.BadRequest("At least one of status, attach_status and migration_status is needed.")
    req.volumes.reset_status(req.ctx, req.volume_id, **values)


def force_delete(req):
    """os-force_delete: delete whatever the status."""
    req.volumes.delete(req.ctx, req.volume_id, force=True)


# -- images

def upload_image(req):
    """os-volume_upload_image: make an image of the volume."""
    body = req.body
    visibility = body.get("visibility", "private")
    if visibility == "public":
        req.enforce("volume_extension:volume_actions:upload_public")
    row, type_, image = req.imaging.upload(
        req.ctx, req.volume_id, is_true(body.get("force", False)), name=body["image_name"], visibility=visibility,
        disk_format=body.get("disk_format", "raw"), container_format=body.get("container_format", "bare"),
        protected=is_true(body.get("protected", False)))
    return {"os-volume_upload_image": views.uploading(row, type_, image, req)}


def reimage(req):
    """os-reimage: write an image over the volume."""
    reserved_too = is_true(req.body.get("reimage_reserved", False))
    if reserved_too:
        req.enforce("volume:reimage_reserved")
    req.imaging.reimage(req.ctx, req.volume_id, req.body["image_id"], reserved_too)


# -- image metadata

def set_image_metadata(req):
    """os-set_image_metadata: add to the image metadata."""
    new = req.volumes.change_metadata(req.ctx, req.volume_id, "image_metadata",
                                      lambda present: present | req.body["metadata"])
    return {"metadata": new}


def show_image_metadata(req):
    """os-show_image_metadata"""
    with req.db.read() as tx:
        return {"metadata": volumes.get(tx, req.ctx, req.volume_id).image_metadata}


def unset_image_metadata(req):
    """os-unset_image_metadata"""
    key = req.body["key"]

    def without(present):
        pages.present(present, key, "volume", req.volume_id)
        return {name: value for name, value in present.items() if name != key}

    req.volumes.change_metadata(req.ctx, req.volume_id, "image_metadata", without)
