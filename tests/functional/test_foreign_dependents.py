"""Actions that include dependent resources, some of which belong to another project."""

import uuid

import pytest

from cinder_lite.db import schema
from tests.functional import people
from tests.functional.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    default = ("quota_volumes = 100\nquota_snapshots = 100\nquota_groups = 100\n"
               + people.options(tmp_path_factory.mktemp("people")))
    with Service(backends=("null-1",), target=False, default=default) as running:
        yield running


@pytest.fixture
def ann(service):
    return people.client(service, "ann")


@pytest.fixture
def bob(service):
    return people.client(service, "bob")


@pytest.fixture
def root(service):
    return people.client(service, "root")


def give(giver, taker, volume_id, **more):
    offer = giver("POST", "/volume-transfers", {"transfer": {"volume_id": volume_id, **more}}, expect=202)["transfer"]
    taker("POST", f"/volume-transfers/{offer['id']}/accept", {"accept": {"auth_key": offer["auth_key"]}}, expect=202)


@pytest.fixture
def given(ann, bob):
    """Bob's volume, which Ann gave him without its snapshot."""
    volume = ann.made("volumes", size=1)["id"]
    snapshot = ann.made("snapshots", volume_id=volume)["id"]
    give(ann, bob, volume, no_snapshots=True)
    return {"volume": volume, "snapshot": snapshot}


def filled(value, names):
    """The value with {name} in its texts replaced."""
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    return value.format(**names) if isinstance(value, str) else value


#: What the volume's owner may try: (method, path, body, status). 404: the snapshot is not there for him.
TRIED = {
    "delete": ("DELETE", "/volumes/{volume}", None, 400),
    "cascade": ("DELETE", "/volumes/{volume}?cascade=true", None, 400),
    "force": ("DELETE", "/volumes/{volume}?cascade=true&force=true", None, 403),
    "give on": ("POST", "/volume-transfers", {"transfer": {"volume_id": "{volume}"}}, 400),
    "give on, the old way": ("POST", "/os-volume-transfer", {"transfer": {"volume_id": "{volume}"}}, 400),
    "revert": ("POST", "/volumes/{volume}/action", {"revert": {"snapshot_id": "{snapshot}"}}, 404),
    "make a volume": ("POST", "/volumes", {"volume": {"size": 1, "snapshot_id": "{snapshot}"}}, 404),
    "back up": ("POST", "/backups", {"backup": {"volume_id": "{volume}", "snapshot_id": "{snapshot}"}}, 404),
    "delete the snapshot": ("DELETE", "/snapshots/{snapshot}", None, 404),
    "rename the snapshot": ("PUT", "/snapshots/{snapshot}", {"snapshot": {"name": "mine"}}, 404),
    "change its metadata": ("POST", "/snapshots/{snapshot}/metadata", {"metadata": {"a": "b"}}, 404),
}


@pytest.mark.parametrize("tried", TRIED)
def test_the_owner_of_a_volume_does_not_touch_a_snapshot_of_another_project(ann, bob, given, tried):
    method, path, body, status = TRIED[tried]
    before = ann("GET", f"/snapshots/{given['snapshot']}", expect=200)
    fault = bob(method, path.format(**given), filled(body, given), expect=status)
    assert "{snapshot}" in str((path, body)) or given["snapshot"] not in str(fault)
    assert ann("GET", f"/snapshots/{given['snapshot']}", expect=200) == before
    assert bob("GET", f"/volumes/{given['volume']}", expect=200)["volume"]["status"] == "available"


def test_a_newer_snapshot_of_another_project_is_named_by_its_number_only(ann, bob):
    volume = bob.made("volumes", size=1)["id"]
    mine = bob.made("snapshots", volume_id=volume)["id"]
    give(bob, ann, volume, no_snapshots=True)
    theirs = ann.made("snapshots", volume_id=volume)["id"]
    give(ann, bob, volume, no_snapshots=True)
    fault = bob("POST", f"/volumes/{volume}/action", {"revert": {"snapshot_id": mine}}, expect=400)
    assert "1 newer snapshot of another project" in fault["badRequest"]["message"] and theirs not in str(fault)
    bob("DELETE", f"/volumes/{volume}?cascade=true", expect=400)
    assert ann("GET", f"/snapshots/{theirs}", expect=200)["snapshot"]["status"] == "available"
    assert bob("GET", f"/snapshots/{mine}", expect=200)["snapshot"]["status"] == "available"


def test_an_administrator_may(ann, bob, root, given):
    root("DELETE", f"/volumes/{given['volume']}?cascade=true", expect=202)
    root.gone("volumes", given["volume"])
    assert ann("GET", f"/snapshots/{given['snapshot']}")[0] == 404


def test_the_volume_can_be_transferred_and_deleted_without_the_foreign_snapshot(ann, bob, given):
    give(bob, ann, given["volume"], no_snapshots=True)
    give(ann, bob, given["volume"])
    assert bob("GET", f"/snapshots/{given['snapshot']}", expect=200)
    bob("DELETE", f"/volumes/{given['volume']}?cascade=true", expect=202)
    bob.gone("volumes", given["volume"])


# -- groups

@pytest.fixture
def group(service, ann, bob, root):
    """A group of Ann with one volume of hers and one of Bob, as former releases allowed administrators to create."""
    type_ = root("POST", "/group_types", {"group_type": {"name": uuid.uuid4().hex}}, expect=202)["group_type"]
    default = root("GET", "/types/default", expect=200)["volume_type"]["id"]
    group = ann("POST", "/groups", {"group": {"group_type": type_["id"], "volume_types": [default]}},
                expect=202)["group"]["id"]
    ann.settled("groups", group)
    own = ann.made("volumes", size=1, group_id=group)["id"]
    foreign = bob.made("volumes", size=1)["id"]
    with service.process.db.write() as tx:
        tx.execute(schema.volumes.update().where(schema.volumes.c.id == foreign).values(group_id=group))
    yield {"group": group, "own": own, "foreign": foreign, "type": type_["id"]}
    with service.process.db.write() as tx:
        tx.execute(schema.volumes.update().where(schema.volumes.c.id == foreign).values(group_id=None))


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", "/groups/{group}/action", {"delete": {"delete-volumes": True}}),
    ("POST", "/group_snapshots", {"group_snapshot": {"group_id": "{group}"}}),
    ("POST", "/groups/action", {"create-from-src": {"source_group_id": "{group}"}}),
])
def test_a_group_with_a_volume_of_another_project_is_not_changed(ann, bob, group, method, path, body):
    fault = ann(method, path.format(**group), filled(body, group), expect=400)
    assert "1 volume of another project" in fault["badRequest"]["message"]
    assert bob("GET", f"/volumes/{group['foreign']}", expect=200)["volume"]["status"] == "available"


def test_a_volume_cannot_be_created_in_a_group_of_another_project(ann, bob, root, group):
    body = {"volume": {"size": 1, "group_id": group["group"]}}
    assert "another project" in root("POST", "/volumes", body, expect=400)["badRequest"]["message"]
    bob("POST", "/volumes", body, expect=404)
    bob("POST", f"/groups/{group['group']}/action", {"delete": {"delete-volumes": True}}, expect=404)
    bob("PUT", f"/groups/{group['group']}", {"group": {"remove_volumes": group["foreign"]}}, expect=404)


def test_private_group_types_are_for_administrators(ann, root):
    type_ = root("POST", "/group_types", {"group_type": {"name": uuid.uuid4().hex, "is_public": False}},
                 expect=202)["group_type"]
    default = root("GET", "/types/default", expect=200)["volume_type"]["id"]
    for word in (type_["id"], type_["name"]):
        ann("POST", "/groups", {"group": {"group_type": word, "volume_types": [default]}}, expect=404)
    ann("GET", f"/group_types/{type_['id']}", expect=404)
    root("GET", f"/group_types/{type_['id']}", expect=200)


def test_a_copy_is_not_described_as_its_source_is_in_another_project(ann, bob, root, service):
    type_ = root("POST", "/group_types", {"group_type": {"name": uuid.uuid4().hex}}, expect=202)["group_type"]
    default = root("GET", "/types/default", expect=200)["volume_type"]["id"]
    group = ann("POST", "/groups", {"group": {"group_type": type_["id"], "volume_types": [default]}},
                expect=202)["group"]["id"]
    ann.settled("groups", group)
    volume = ann.made("volumes", size=1, group_id=group)["id"]
    kept = ann("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}}, expect=202)["group_snapshot"]["id"]
    ann.settled("group_snapshots", kept)
    ann("PUT", f"/groups/{group}", {"group": {"remove_volumes": volume}}, expect=202)
    give(ann, bob, volume, no_snapshots=True)
    bob("PUT", f"/volumes/{volume}", {"volume": {"name": "secret plan"}}, expect=200)
    made = ann("POST", "/groups/action", {"create-from-src": {"group_snapshot_id": kept}}, expect=202)["group"]["id"]
    ann.settled("groups", made)
    copies = [one for one in ann("GET", "/volumes/detail", expect=200)["volumes"] if one["group_id"] == made]
    assert [one["name"] for one in copies] == [None]
