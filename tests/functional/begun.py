"""Begins every action that has a job, by each of its ways, through the API where that leads there."""

import dataclasses
import functools
import os
import types
import typing
import uuid

from cinder_lite import context, states
from cinder_lite.db import jobs, pools, volumes
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.nova import client as nova
from tests.functional.client import PROJECT, Client
from tests.functional.service import until


def prepared(method):
    """Of a World: what it makes is made as ever."""
    @functools.wraps(method)
    def make(self, *arguments, **named):
        with self.raiser.off():
            return method(self, *arguments, **named)

    return make


@dataclasses.dataclass
class World:
    """What actions are begun with."""

    service: object
    client: Client
    types: dict
    raiser: object

    @prepared
    def volume(self, volume_type="one", **more):
        return self.client.made("volumes", size=1, volume_type=volume_type, **more)["id"]

    @prepared
    def snapshot(self, volume=None):
        return self.client.made("snapshots", volume_id=volume or self.volume())["id"]

    @prepared
    def backup(self, volume=None, **more):
        return self.client.made("backups", volume_id=volume or self.volume(), **more)["id"]

    @prepared
    def attached(self):
        id = self.volume()
        made = self.client("POST", "/attachments", {"attachment": {
            "volume_uuid": id, "instance_uuid": str(uuid.uuid4()), "connector": {"host": "h"}}}, expect=200)
        self.client("POST", f"/attachments/{made['attachment']['id']}/action", {"os-complete": {}}, expect=204)
        return id

    @prepared
    def group(self, members=2):
        kind = self.client("POST", "/group_types", {"group_type": {"name": str(uuid.uuid4())}},
                           expect=202)["group_type"]["id"]
        id = self.client("POST", "/groups", {"group": {
            "group_type": kind, "volume_types": [self.types["one"]]}}, expect=202)["group"]["id"]
        until(lambda: self.client("GET", f"/groups/{id}", expect=200)["group"]["status"] == "available", "the group")
        for _ in range(members):
            self.volume(group_id=id)
        return id

    @prepared
    def kept(self):
        made = self.client("POST", "/group_snapshots", {"group_snapshot": {"group_id": self.group()}}, expect=202)
        id = made["group_snapshot"]["id"]
        until(lambda: self.client("GET", f"/group_snapshots/{id}",
                                  expect=200)["group_snapshot"]["status"] == "available",
              "the group snapshot")
        return id

    def host(self, id):
        """(the backend that has the volume, the pool of the other one)."""
        here = self.client("GET", f"/volumes/{id}", expect=200)["volume"]["os-vol-host-attr:host"]
        return here.partition("#")[0], "test@two#two" if here == "test@one#one" else "test@one#one"

    def act(self, id, kind="volumes", **action):
        name, body = next(iter(action.items()))
        self.client("POST", f"/{kind}/{id}/action", {name.replace("_dash_", "-"): body}, expect=202)
        return id

    def foreign(self, name):
        path = os.path.join(self.service.state, "one", name)
        with open(path, "wb") as file:
            file.truncate(1024**3)
        return name

    def begin(self, id, action, **args):
        """An action that an API verb would begin, where its other side (Glance) is not here."""
        ctx = context.Context(user_id="u", project_id=PROJECT, is_admin=True, overwrite=False)
        with self.service.process.db.write() as tx:
            host = (args.get("to") or volumes.find(tx, id).host).partition("#")[0]
            job = VOLUME.begin(tx, ctx, id, action, job={"stage": "volume", "host": host, "args": args})
            if "to" in args:
                pools.give_back(tx, args["to"], -1, -1)
        self.service.process.volume.on(host).run_job(ctx, job_id=job)
        return id


def create(world, **more):
    return world.client.create("volumes", size=1, volume_type="one", **more)["id"]


def _deleted(world, kind, id, query=""):
    world.client("DELETE", f"/{kind}/{id}{query}", expect=202)
    return id


def _reserved(world):
    id = world.volume()
    world.client("POST", "/attachments", {"attachment": {"volume_uuid": id}}, expect=200)
    return id


def _cascade(world):
    snapshot = world.snapshot()
    volume = world.client("GET", f"/snapshots/{snapshot}", expect=200)["snapshot"]["volume_id"]
    return _deleted(world, "volumes", volume, "?cascade=true")


def _reverted(world):
    snapshot = world.snapshot()
    volume = world.client("GET", f"/snapshots/{snapshot}", expect=200)["snapshot"]["volume_id"]
    return world.act(volume, revert={"snapshot_id": snapshot})


def _managed(world):
    return world.client("POST", "/manageable_volumes", {"volume": {
        "host": "test@one#one", "ref": {"source-name": world.foreign(f"foreign-{uuid.uuid4()}")}}},
                        expect=202)["volume"]["id"]


def _managed_snapshot(world):
    return world.client("POST", "/manageable_snapshots", {"snapshot": {
        "volume_id": world.volume(), "ref": {"source-name": world.foreign(f"foreign-{uuid.uuid4()}")}}},
        expect=202)["snapshot"]["id"]


def _migrated(world, lock):
    id = world.volume("any")
    return world.act(id, **{"os-migrate_volume": {"host": world.host(id)[1], "lock_volume": lock}})


def _migrated_in_use(world):
    id = world.attached()
    return world.begin(id, "migrate_in_use", to=world.host(id)[1], server=str(uuid.uuid4()))


def _uploaded(world, action, id):
    return world.begin(id, action, image_id=str(uuid.uuid4()), disk_format="raw")


def _imported(world):
    id = world.backup()
    record = world.client("GET", f"/backups/{id}/export_record", expect=200)["backup-record"]
    world.client("DELETE", f"/backups/{id}", expect=202)
    world.client.gone("backups", id)
    world.client("POST", "/backups/import_record", {"backup-record": record}, expect=201)
    return id


def _restored(world):
    id = world.backup()
    world.client("POST", f"/backups/{id}/restore", {"restore": {"volume_id": world.volume()}}, expect=202)
    return id


def _group_copy(world, **source):
    return world.client("POST", "/groups/action", {"create-from-src": source}, expect=202)["group"]["id"]


def _group_deleted(world):
    return world.act(world.group(), kind="groups", delete={"delete-volumes": True})


def _new_kept(world):
    return world.client("POST", "/group_snapshots", {"group_snapshot": {"group_id": world.group()}},
                        expect=202)["group_snapshot"]["id"]


def _moved_away(world):
    """A volume has moved, and its former place is to be removed."""
    id = _migrated(world, False)
    world.client.settled("volumes", id)
    return id


def _recorded(world, record):
    """A job that another job would record about a volume in use."""
    id = world.attached()
    by = types.SimpleNamespace(project_id=PROJECT, user_id="u", request_id="req-by", id=str(uuid.uuid4()))
    with world.service.process.db.write() as tx:
        record(tx, by, volumes.find(tx, id))
    return id


def _copy_left(world):
    return _recorded(world, lambda tx, by, row: holds.schedule_copy_cleanup(tx, by, row, str(uuid.uuid4())))


def _image_left(world):
    id = str(uuid.uuid4())
    _recorded(world, lambda tx, by, row: jobs.add(
        tx, context.Context(project_id=PROJECT, user_id="u", overwrite=False), "image", id, "delete", states.VOLUME,
        row.host.partition("#")[0]))
    return id


def _event(world, name):
    return _recorded(world, lambda tx, by, row: jobs.add(
        tx, context.Context(project_id=PROJECT, user_id="u", overwrite=False), "server", row.id, name, states.VOLUME,
        row.host.partition("#")[0], {"servers": [str(uuid.uuid4())], "succeeded": True}))


#: (kind, action) -> what begins it, each by another way.
BEGUN: dict[tuple, tuple[typing.Callable, ...]] = {
    ("volume", "create"): (
        create, lambda world: create(world, source_volid=world.volume()),
        lambda world: create(world, snapshot_id=world.snapshot()),
        lambda world: create(world, backup_id=world.backup())),
    ("volume", "delete"): (lambda world: _deleted(world, "volumes", world.volume()), _cascade),
    ("volume", "force_delete"): (lambda world: world.act(world.volume(), **{"os-force_delete": {}}),),
    ("volume", "extend"): (lambda world: world.act(world.volume(), **{"os-extend": {"new_size": 2}}),),
    ("volume", "revert"): (_reverted,),
    ("volume", "migrate"): (lambda world: _migrated(world, False),),
    ("volume", "migrate_locked"): (lambda world: _migrated(world, True),),
    ("volume", "migrate_in_use"): (_migrated_in_use,),
    ("volume", "retype"): (lambda world: world.act(world.volume(), **{
        "os-retype": {"new_type": "two", "migration_policy": "on-demand"}}),),
    ("volume", "upload"): (lambda world: _uploaded(world, "upload", world.volume()),),
    ("volume", "upload_in_use"): (lambda world: _uploaded(world, "upload_in_use", world.attached()),),
    ("volume", "reimage"): (lambda world: world.begin(world.volume(), "reimage", image_id=str(uuid.uuid4())),),
    ("volume", "reimage_reserved"): (lambda world: world.begin(
        _reserved(world), "reimage_reserved", image_id=str(uuid.uuid4())),),
    ("volume", "manage"): (_managed,),
    ("volume", "unmanage"): (lambda world: world.act(world.volume(), **{"os-unmanage": {}}),),
    ("snapshot", "create"): (lambda world: world.client.create("snapshots", volume_id=world.volume())["id"],),
    ("snapshot", "delete"): (lambda world: _deleted(world, "snapshots", world.snapshot()),),
    ("snapshot", "force_delete"): (lambda world: world.act(world.snapshot(), "snapshots", **{"os-force_delete": {}}),),
    ("snapshot", "manage"): (_managed_snapshot,),
    ("snapshot", "unmanage"): (lambda world: world.act(world.snapshot(), "snapshots", **{"os-unmanage": {}}),),
    ("backup", "create"): (
        lambda world: world.client.create("backups", volume_id=world.volume())["id"],
        lambda world: world.client.create("backups", volume_id=world.attached(), force=True)["id"]),
    ("backup", "delete"): (lambda world: _deleted(world, "backups", world.backup()),),
    ("backup", "force_delete"): (lambda world: world.act(world.backup(), "backups", **{"os-force_delete": {}}),),
    ("backup", "restore"): (_restored,),
    ("backup", "import"): (_imported,),
    ("group", "create"): (lambda world: world.group(members=0),),
    ("group", "create_from"): (
        lambda world: _group_copy(world, source_group_id=world.group()),
        lambda world: _group_copy(world, group_snapshot_id=world.kept())),
    ("group", "delete"): (_group_deleted,),
    ("group_snapshot", "create"): (_new_kept,),
    ("group_snapshot", "delete"): (lambda world: _deleted(world, "group_snapshots", world.kept()),),
    ("leftover", "remove"): (_moved_away,),
    ("leftover", "remove_copy"): (_copy_left,),
    ("image", "delete"): (_image_left,),
    ("server", nova.EXTENDED): (lambda world: _event(world, nova.EXTENDED),),
    ("server", nova.REIMAGED): (lambda world: _event(world, nova.REIMAGED),),
}
#: A group is made by the scheduler alone.
WORKED_ON = [key for key in BEGUN if key != ("group", "create")]
CASES = [(*key, number) for key in WORKED_ON for number in range(len(BEGUN[key]))]
