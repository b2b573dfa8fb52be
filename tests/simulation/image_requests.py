"""What users do with images in a world."""

from tests.simulation.clients import with_one
from tests.simulation.images import PREPARED


def _image(client):
    uploaded = sorted(id for id, image in client.site.world.images.items() if image.status == "active")
    return client.rng.choice((*PREPARED, *uploaded))


def create_from_image(client):
    client.send("POST", "/volumes", {"volume": {"size": client.rng.choice((1, 2)), "imageRef": _image(client)}})


@with_one("volumes", status=("available", "in-use"))
def upload(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-volume_upload_image": {
        "image_name": "i", "disk_format": "raw", "container_format": "bare", "force": client.rng.random() < 0.5}})


@with_one("volumes", status="reserved")
def rebuild(client, row):
    """Overwrite a volume as Nova does that rebuilds its server, which has reserved it."""
    client.send("POST", f"/volumes/{row['id']}/action", {"os-reimage": {
        "image_id": _image(client), "reimage_reserved": True}})


@with_one("volumes", status=("available", "error", "reserved"))
def reimage(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-reimage": {
        "image_id": _image(client), "reimage_reserved": client.rng.random() < 0.5}})


REQUESTS = (create_from_image, create_from_image, upload, reimage, rebuild)
