"""An exception at any call of a job handler ends the job, releases what it holds and leaves a message."""

import contextlib
import os
import sys
import threading

import pytest
import sqlalchemy as sa

from cinder_lite import context, states
from cinder_lite.db import job_queries, jobs
from cinder_lite.doctor import Doctor
from cinder_lite.image import glance
from cinder_lite.jobs import worker
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.notifications import Events
from cinder_lite.scheduler import manager
from cinder_lite.states import lookup
from tests.functional.begun import BEGUN, CASES, WORKED_ON, World, create
from tests.functional.client import PROJECT, Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound

# The calls are the same in both modes of threads.
pytestmark = pytest.mark.once

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
    "volume/jobs/creation.py", "volume/jobs/volumes.py", "volume/jobs/snapshots.py", "volume/jobs/migration.py",
    "volume/jobs/groups.py", "volume/jobs/manage.py", "volume/jobs/images.py", "nova/events.py", "backup/manager.py"))


class Injected(Exception):
    """What nobody expects."""


@pytest.fixture(scope="module")
def service():
    sections = {name: BACKEND.format(name=name) for name in ("one", "two")}
    with Service(backends=("one", "two"), sections=sections, default=DEFAULT, target=False) as running:
        for one in running.volume.backends:
            one.images.glance = NoImages(running.process.conf)
        yield running


class NoImages(glance.Glance):
    """An image service that cannot be reached but for deleting images."""

    def delete(self, ctx, id):
        """There is none."""


class Bus:
    """Takes the notifications that would go to a broker: (event type, resource id)."""

    FAILURES = ()

    def __init__(self):
        self.sent = set()

    def publish(self, _id, _time, _publisher, event_type, payload, _requester):
        self.sent |= {(event_type, value) for key, value in payload.items() if key.endswith("_id")}


@pytest.fixture(scope="module")
def bus(service, raiser):
    found = Bus()
    events = Events(service.process.db, found, "injected/1")
    for one in raiser.workers:
        one.events = events
    yield found
    for one in raiser.workers:
        one.events = None
    events.stop()


@pytest.fixture(scope="module")
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def volume_types(client):
    anywhere = client("POST", "/types", {"volume_type": {"name": "any"}}, expect=200)["volume_type"]["id"]
    return {name: client.type_of(name)["id"] for name in ("one", "two")} | {"any": anywhere}


class Raiser:
    """Stands before the handlers of all workers: the n-th that works on an action raises where the n-th of its calls
    is."""

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
        """From now on the handlers of `key`, a (kind, action), raise: the next one at the call `first`; None: they
        do not."""
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




def test_every_action_that_a_service_works_on_is_tried():
    assert lookup.having(lambda row: row.stage) == BEGUN.keys()


@pytest.fixture
def world(service, client, volume_types, raiser, bus):
    return World(service, client, volume_types, raiser)


def ended(world, id, action):
    """The job of that action, once nothing is under way."""
    def look():
        with world.service.process.db.read() as tx:
            rows = [job for job in job_queries.of_resource(tx, id) if job.action == action]
        return rows and all(job.status not in states.LIVE_JOB for job in rows) and rows[0]

    return until(look, f"the {action} of {id} to end")


def check_message(world, job):
    """A job that failed has said why, in words for its owner."""
    if job.status != states.FAILED:
        return
    messages = [one["user_message"] for one in world.client("GET", "/messages", expect=200)["messages"]
                if one["resource_uuid"] == job.resource_id]
    assert job.error and messages, job
    for text in (job.error, *messages):
        assert "Injected" not in text and SECRET not in text and "Error" not in text, text


def check_notified(bus, job):
    """Notifications report that the work began, and that it ended when it succeeded."""
    event = states.ACTIONS[job.kind][job.action].event
    if event is None:
        return
    until(lambda: (f"{event}.start", job.resource_id) in bus.sent, f"a notification of the start of {job.action}")
    if job.status == states.SUCCEEDED:
        until(lambda: (f"{event}.end", job.resource_id) in bus.sent, f"a notification of the end of {job.action}")
    assert job.status == states.SUCCEEDED or (f"{event}.end", job.resource_id) not in bus.sent


def check_sound(world, kind, action):
    if action == "unmanage" or kind == "leftover":  # what was let go, or could not be removed, belongs to nobody
        Doctor(world.service.process.db, world.service.conf, pause=0.1).repair(delete_orphans=True)
    sound(world.service, world.client)


@pytest.mark.parametrize(("kind", "action", "number"), CASES)
def test_an_exception_at_any_call_ends_the_job(world, raiser, bus, kind, action, number):
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
        check_message(world, job)
        check_notified(bus, job)
    check_sound(world, kind, action)


@pytest.mark.parametrize(("kind", "action"), WORKED_ON)
def test_an_end_that_cannot_be_written_is_given_up(world, raiser, monkeypatch, kind, action):
    for one in raiser.workers:
        monkeypatch.setattr(one, "_finish", _refusing(one._finish, kind, action))
        monkeypatch.setattr(one, "_pass_on", _refusing(one._pass_on, kind, action))
    job = ended(world, BEGUN[kind, action][0](world), action)
    assert job.status == states.FAILED
    check_message(world, job)
    monkeypatch.undo()
    check_sound(world, kind, action)


def test_doctor_finds_the_object_of_a_removal_that_was_given_up(world, raiser, monkeypatch):
    """The removal is repeated as often as other jobs, then it fails with a message."""
    for one in raiser.workers:
        monkeypatch.setattr(one, "_finish", _refusing(one._finish, "leftover", "remove"))
    for one in world.service.volume.backends:
        monkeypatch.setattr(one.backend.driver, "delete", lambda _volume: None)
    id = BEGUN["leftover", "remove"][0](world)
    job = ended(world, id, "remove")
    assert job.status == states.FAILED
    assert job.attempt == world.service.conf.job_max_attempts + 2
    check_message(world, job)
    monkeypatch.undo()
    doctor = Doctor(world.service.process.db, world.service.conf, pause=0.1)
    assert [(one.invariant, one.subject[-1]) for one in doctor.examine().violations] == [
        ("orphaned volume", f"volume-{id}")]
    doctor.repair(delete_orphans=True)
    sound(world.service, world.client)


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
    check_message(world, ended(world, id, action))
    monkeypatch.undo()
    Doctor(world.service.process.db, world.service.conf, pause=0.1).repair(delete_orphans=True)
    sound(world.service, world.client)


def _unprepared(handler, refuse, raiser):
    return lambda work: handler(work) if raiser.aside else refuse()


SCHEDULED = [("create", create), ("create", lambda world, **more: create(world, backup_id=world.backup(), **more)),
             *((action, way) for (kind, action), ways in BEGUN.items() for way in ways
               if kind == "volume" and action not in ("create", "migrate_in_use")
               and VOLUME.actions[action].stage == "scheduler")]


@pytest.mark.parametrize(("action", "begin"), SCHEDULED)
def test_a_decision_that_raises_each_time_is_an_end(world, monkeypatch, action, begin):
    place = VOLUME.actions[action].work[states.SCHEDULER]

    def raising(tx, job, volume, requests=manager.PLACEMENTS[place]):
        if action != "create" or volume.name == "doomed":
            raise Injected(SECRET)
        return requests(tx, job, volume)

    monkeypatch.setitem(manager.PLACEMENTS, place, raising)
    id = begin(world, name="doomed") if action == "create" else begin(world)
    job = ended(world, id, action)
    assert job.status == states.FAILED
    check_message(world, job)
    sound(world.service, world.client)


@pytest.mark.parametrize("args", [None, [], "text", 7, {"hints": 7}, {"hints": {"same_host": 7}},
                                  {"hints": [["query"]]},
                                  {"tried": 1}])
def test_arguments_of_any_form_are_an_end(world, args):
    """Rows of a release, or of somebody, that wrote what this one does not read."""
    id = world.client.create("volumes", size=1)["id"]
    world.client.settled("volumes", id)
    ctx = context.Context(user_id="u", project_id=PROJECT, is_admin=True, overwrite=False)
    for action, stage in (("retype", "scheduler"), ("migrate", "scheduler"), ("upload", "volume"),
                          ("revert", "volume")):
        host = world.host(id)[0]
        with world.service.process.db.write() as tx:
            job = VOLUME.begin(tx, ctx, id, action, job={"host": host if stage == "volume" else None})
            tx.execute(sa.update(jobs.J).where(jobs.J.c.id == job).values(args=args if args is not None
                                                                          else sa.JSON.NULL))
        job = ended(world, id, action)
        assert job.status == states.FAILED
        world.act(id, **{"os-reset_status": {"status": "available"}})
    world.act(id, **{"os-force_delete": {}})
    world.client.gone("volumes", id)
