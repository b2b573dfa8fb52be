"""An exception at any call of a job handler ends the job, releases what it holds and leaves a message."""

import contextlib
import dataclasses
import functools
import os
import sys
import threading
import typing
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, states
from cinder_lite.db import jobs, pools, volumes
from cinder_lite.doctor import Doctor
from cinder_lite.jobs import worker
from cinder_lite.jobs.lifecycle import KINDS, VOLUME
from cinder_lite.scheduler import manager
from tests.functional.client import PROJECT, Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound

BACKEND = """
[{name}]
volume_driver = file
volume_backend_name = {name}
file_volume_dir = {{state}}/{name}
target_helper = nbd
"""
DEFAULT = """job_sweep_interval = 0.2
job_max_attempts = 2
glance_api_servers = http://127.0.0.1:9
glance_num_retries = 0
quota_volumes = -1
quota_gigabytes = -1
quota_snapshots = -1
quota_backups = -1
quota_backup_gigabytes = -1
quota_groups = -1"""
SECRET = "a text that only the log may have"
#: Where the work on jobs is written: calls from there are where something is raised.
HANDLERS = tuple(os.path.join("cinder_lite", *path.split("/")) for path in (
    "volume/jobs/volumes.py", "volume/jobs/migration.py", "volume/jobs/groups.py", "volume/jobs/manage.py", "volume/jobs/images.py",
    "nova/events.py", "backup/manager.py"))


class Injected(Exception):
    """What nobody expects."""


@pytest.fixture(scope="module")
def service():
    sections = {name: BACKEND.format(name=name) for name in ("one", "two")}
    with Service(backends=("one", "two"), sections=sections, default=DEFAULT, target=False) as running:
        yield running


@pytest.fixture(scope="module")
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def types(client):
    return {name: client("POST", "/types", {"volume_type": {
        "name": name, "extra_specs": {"volume_backend_name": name}}}, expect=200)["volume_type"]["id"]
        for name in ("one", "two")} | {"any": client("POST", "/types", {"volume_type": {"name": "any"}}, expect=200)[
            "volume_type"]["id"]}


class Raiser:
    """Stands before the handlers of all workers: the n-th that works on an action raises where the n-th of its calls is."""

    def __init__(self, workers):
        self.workers, self.kept = workers, [worker.handlers for worker in workers]
        self.key, self.places, self.next, self.raised, self.aside = None, [], None, 0, 0

    @contextlib.contextmanager
    def off(self):
        """What is made in here is made as ever."""
        self.aside += 1
        try:
            yield
        finally:
            self.aside -= 1

    def __enter__(self):
        for one, handlers in zip(self.workers, self.kept, strict=True):
            one.handlers = {key: self._around(key, function) for key, function in handlers.items()}
        return self

    def __exit__(self, *exception):
        for one, handlers in zip(self.workers, self.kept, strict=True):
            one.handlers = handlers

    def arm(self, key, first):
        """From now on the handlers of `key`, a (kind, action), raise: the next one at the call `first`; None: they do not."""
        self.key, self.next, self.raised, self.places = key, first, 0, []

    def _around(self, key, function):
        def handle(work):
            if key != self.key or self.aside or work.job.attempt > 1:
                return function(work)
            wanted, me, calls = self.next, threading.get_ident(), []
            self.next = None if wanted is None else wanted + 1

            def look(frame, event, _argument):
                if event != "call" or threading.get_ident() != me:
                    return
                caller, called = frame.f_back, frame.f_code.co_filename
                if caller is None or "cinder_lite" not in called or not caller.f_code.co_filename.endswith(HANDLERS):
                    return
                place = caller.f_code.co_filename, caller.f_lineno
                if place not in calls:
                    calls.append(place)
                    if len(calls) - 1 == wanted:
                        self.raised += 1
                        raise Injected(SECRET)

            sys.setprofile(look)
            try:
                return function(work)
            finally:
                sys.setprofile(None)
                self.places = calls

        return handle


@pytest.fixture(scope="module")
def raiser(service):
    workers = [one.manager.worker for one in service.volume.backends] + [
        one.manager.worker for one in service.services if hasattr(getattr(one, "manager", None), "worker")]
    with Raiser(workers) as found:
        yield found


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
    raiser: Raiser

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
        kind = self.client("POST", "/group_types", {"group_type": {"name": str(uuid.uuid4())}}, expect=202)["group_type"]["id"]
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
        until(lambda: self.client("GET", f"/group_snapshots/{id}", expect=200)["group_snapshot"]["status"] == "available",
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


def _create(world, **more):
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
        "host": "test@one#one", "ref": {"source-name": world.foreign(f"foreign-{uuid.uuid4()}")}}}, expect=202)["volume"]["id"]


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


#: (kind, action) -> what begins it, each by another way.
BEGUN: dict[tuple, tuple[typing.Callable, ...]] = {
    ("volume", "create"): (
        _create, lambda world: _create(world, source_volid=world.volume()),
        lambda world: _create(world, snapshot_id=world.snapshot()), lambda world: _create(world, backup_id=world.backup())),
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
}
#: A group is made by the scheduler alone.
WORKED_ON = [key for key in BEGUN if key != ("group", "create")]
CASES = [(*key, number) for key in WORKED_ON for number in range(len(BEGUN[key]))]


def test_every_action_that_a_service_works_on_is_tried():
    staged = {(kind, action.name) for kind, engine in KINDS.items() for action in engine.actions.values() if action.stage}
    assert staged == BEGUN.keys()


@pytest.fixture
def world(service, client, types, raiser):
    return World(service, client, types, raiser)


def ended(world, id, action):
    """The job of that action, once nothing is under way."""
    def look():
        with world.service.process.db.read() as tx:
            rows = [job for job in jobs.of_resource(tx, id) if job.action == action]
        return rows and all(job.status not in states.LIVE_JOB for job in rows) and rows[0]

    return until(look, f"the {action} of {id} to end")


def check_told(world, job):
    """A job that failed has said why, in words for its owner."""
    if job.status != states.FAILED:
        return
    messages = [one["user_message"] for one in world.client("GET", "/messages", expect=200)["messages"]
                if one["resource_uuid"] == job.resource_id]
    assert job.error and messages, job
    for text in (job.error, *messages):
        assert "Injected" not in text and SECRET not in text and "Error" not in text, text


def check_sound(world, action):
    if action == "unmanage":  # what was let go is nobody's
        Doctor(world.service.process.db, world.service.conf, pause=0.1).repair(delete_orphans=True)
    sound(world.service, world.client)


@pytest.mark.parametrize(("kind", "action", "number"), CASES)
def test_an_exception_at_any_call_ends_the_job(world, raiser, kind, action, number):
    begin = BEGUN[kind, action][number]
    raiser.arm((kind, action), None)
    ended(world, begin(world), action)
    places = raiser.places
    assert places, f"nobody works on {action} of a {kind}"
    raiser.arm((kind, action), 0)
    begun = [begin(world) for _ in places]
    found = [ended(world, id, action) for id in begun]
    assert raiser.raised, "nothing was raised"
    raiser.arm(None, None)
    for job in found:
        check_told(world, job)
    check_sound(world, action)


@pytest.mark.parametrize(("kind", "action"), WORKED_ON)
def test_an_end_that_cannot_be_written_is_given_up(world, raiser, monkeypatch, kind, action):
    for one in raiser.workers:
        monkeypatch.setattr(one, "_finish", _refusing(one._finish, kind, action))
        monkeypatch.setattr(one, "_pass_on", _refusing(one._pass_on, kind, action))
    job = ended(world, BEGUN[kind, action][0](world), action)
    assert job.status == states.FAILED
    check_told(world, job)
    monkeypatch.undo()
    check_sound(world, action)


def _refusing(write, kind, action):
    def refuse(tx, work, *more):
        if (work.job.kind, work.job.action) == (kind, action):
            raise Injected(SECRET)
        return write(tx, work, *more)

    return refuse


@pytest.mark.parametrize(("kind", "action"), [("volume", "create"), ("backup", "create"), ("volume", "extend")])
def test_a_job_whose_end_fails_ends_and_doctor_repairs_the_sums(world, raiser, monkeypatch, kind, action):
    def refuse(*_arguments, **_named):
        raise Injected(SECRET)

    monkeypatch.setattr(worker.holds, "fail", refuse)
    for one in raiser.workers:
        if (kind, action) in one.handlers and (kind, action, one.stage) != ("volume", "create", "backup"):
            monkeypatch.setitem(one.handlers, (kind, action), _unprepared(one.handlers[kind, action], refuse, raiser))
    id = BEGUN[kind, action][0](world)
    assert ended(world, id, action).status == states.FAILED
    check_told(world, ended(world, id, action))
    monkeypatch.undo()
    Doctor(world.service.process.db, world.service.conf, pause=0.1).repair(delete_orphans=True)
    sound(world.service, world.client)


def _unprepared(handler, refuse, raiser):
    return lambda work: handler(work) if raiser.aside else refuse()


SCHEDULED = [("create", _create), ("create", lambda world, **more: _create(world, backup_id=world.backup(), **more)),
             *((action, way) for (kind, action), ways in BEGUN.items() for way in ways
               if kind == "volume" and action not in ("create", "migrate_in_use")
               and VOLUME.actions[action].stage == "scheduler")]


@pytest.mark.parametrize(("action", "begin"), SCHEDULED)
def test_a_decision_that_raises_each_time_is_an_end(world, monkeypatch, action, begin):
    def raising(tx, job, volume, requests=manager.PLACEMENTS[action].requests):
        if action != "create" or volume.name == "doomed":
            raise Injected(SECRET)
        return requests(tx, job, volume)

    monkeypatch.setitem(manager.PLACEMENTS, action, dataclasses.replace(manager.PLACEMENTS[action], requests=raising))
    id = begin(world, name="doomed") if action == "create" else begin(world)
    job = ended(world, id, action)
    assert job.status == states.FAILED
    check_told(world, job)
    sound(world.service, world.client)


@pytest.mark.parametrize("args", [None, [], "text", 7, {"hints": 7}, {"hints": {"same_host": 7}}, {"hints": [["query"]]},
                                  {"tried": 1}])
def test_arguments_of_any_form_are_an_end(world, args):
    """Rows of a release, or of somebody, that wrote what this one does not read."""
    id = world.client.create("volumes", size=1)["id"]
    world.client.settled("volumes", id)
    ctx = context.Context(user_id="u", project_id=PROJECT, is_admin=True, overwrite=False)
    for action, stage in (("retype", "scheduler"), ("migrate", "scheduler"), ("upload", "volume"), ("revert", "volume")):
        host = world.host(id)[0]
        with world.service.process.db.write() as tx:
            job = VOLUME.begin(tx, ctx, id, action, job={"host": host if stage == "volume" else None})
            tx.execute(sa.update(jobs.J).where(jobs.J.c.id == job).values(args=args if args is not None else sa.JSON.NULL))
        job = ended(world, id, action)
        assert job.status == states.FAILED
        world.act(id, **{"os-reset_status": {"status": "available"}})
    world.act(id, **{"os-force_delete": {}})
    world.client.gone("volumes", id)
