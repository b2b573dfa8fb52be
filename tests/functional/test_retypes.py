"""Retypes of volumes with snapshots: quotas by type, also with snapshots of other projects."""

import types as plain

import pytest
import sqlalchemy as sa

from cinder_lite import context, states
from cinder_lite.db import audit, quotas, retypes, schema, volumes
from cinder_lite.jobs import cancellation
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.verbs.migration import Migrations
from tests.functional.client import Client
from tests.functional.installation import PROJECT, Installation
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.functional.test_moves import act

OTHER = "b0000000000000000000000000000002"


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False, default="job_sweep_interval = 0.2\nquota_volumes = 50") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def kinds(service):
    client = Client(service.url)
    return {name: client("POST", "/types", {"volume_type": {"name": name}}, expect=200)["volume_type"]["id"]
            for name in ("old", "new", "third")}


def usage(client, name):
    found = client("GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"]
    return tuple(found[f"{resource}_{name}"]["in_use"] for resource in ("volumes", "snapshots", "gigabytes"))


def retyped(client, id, name):
    act(client, id, "os-retype", {"new_type": name})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] == name,
          f"the retype: {client.why(id)}")


def test_snapshots_follow(service, client, kinds):
    volume = client.made("volumes", size=2, volume_type="old")
    snapshots = [client.made("snapshots", volume_id=volume["id"], force=True) for _ in range(2)]
    assert (usage(client, "old"), usage(client, "new")) == ((1, 2, 6), (0, 0, 0))
    retyped(client, volume["id"], "new")
    assert (usage(client, "old"), usage(client, "new")) == ((0, 0, 0), (1, 2, 6))
    client("DELETE", f"/types/{kinds.pop('old')}", expect=202)
    copy = client.made("volumes", snapshot_id=snapshots[0]["id"], size=2)
    assert copy["volume_type"] == "new"
    client("DELETE", f"/types/{kinds['new']}", expect=400)
    theirs = Client(service.url, project=OTHER)
    transfer = client("POST", "/volume-transfers", {"transfer": {"volume_id": volume["id"]}}, expect=202)["transfer"]
    theirs("POST", f"/volume-transfers/{transfer['id']}/accept", {"accept": {"auth_key": transfer["auth_key"]}},
           expect=202)
    assert (usage(client, "new"), usage(theirs, "new")) == ((1, 0, 2), (1, 2, 6))
    retyped(theirs, volume["id"], "third")
    assert (usage(theirs, "new"), usage(theirs, "third")) == ((0, 0, 0), (1, 2, 6))
    for who, id in ((client, copy["id"]), (theirs, volume["id"])):
        who("DELETE", f"/volumes/{id}?cascade=True", expect=202)
        who.gone("volumes", id)
    assert usage(client, "new") == usage(theirs, "third") == (0, 0, 0)
    sound(service, client)


def test_the_snapshots_have_to_fit_the_quota_of_the_new_type(service, client, kinds):
    volume = client.made("volumes", size=1, volume_type="third")
    client.made("snapshots", volume_id=volume["id"])
    for resource in ("snapshots", "gigabytes"):
        client("PUT", f"/os-quota-sets/{client.project}",
               {"quota_set": {f"{resource}_new": int(resource == "gigabytes")}}, expect=200)
        act(client, volume["id"], "os-retype", {"new_type": "new"}, 413)
        client("PUT", f"/os-quota-sets/{client.project}", {"quota_set": {f"{resource}_new": -1}}, expect=200)
        assert usage(client, "new") == (0, 0, 0)
    retyped(client, volume["id"], "new")
    client("DELETE", f"/volumes/{volume['id']}?cascade=True", expect=202)
    client.gone("volumes", volume["id"])
    sound(service, client)


# -- step by step

@pytest.fixture
def installed(tmp_path):
    made = Installation(tmp_path).sync()
    yield made
    made.db.dispose()


def counted(installed):
    """Set every sum to that of the rows."""
    installed.count()
    for project in (PROJECT, OTHER):
        with installed.db.write() as tx:
            audit.rewrite_usage(tx, not installed.conf.no_snapshot_gb_quota, project)


def begun(installed, free=False, **more):
    """Return the rows (volume, job) of a retype with a snapshot of the same and one of another project, with sums."""
    old, new = (installed.add("volume_types", name=name, extra_specs={}) for name in ("old", "new"))
    id = installed.volume(volume_type_id=old, size=2, **more)
    for project in (PROJECT, OTHER):
        installed.snapshot(id, volume_type_id=old, size=2, project_id=project)
    installed.conf.set_override("no_snapshot_gb_quota", free)
    counted(installed)
    waking = plain.SimpleNamespace(run_job=lambda *_, **__: None)
    Migrations(installed.db, installed.conf, waking).retype(
        context.Context(user_id="ann", project_id=PROJECT, is_admin=True), id, "new", False)
    with installed.db.read() as tx:
        return volumes.find(tx, id), installed.rows("jobs", resource_id=id)[0], new


def exact(installed):
    with installed.db.read() as tx:
        assert audit.usage_differences(tx, not installed.conf.no_snapshot_gb_quota) == []


def ended(installed, row, job):
    with installed.db.write() as tx:
        VOLUME.settle(tx, row.id, "retype", True, volume_type_id=job.args["new_type_id"])
        tx.execute(sa.update(schema.jobs).values(status=states.SUCCEEDED))
        retypes.settle(tx, installed.conf, row, job.args)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("lost", [None, PROJECT, OTHER])
def test_usage_is_exact_at_each_step(installed, lost, free):
    """Also when a snapshot, anybody's, is deleted while the retype is under way."""
    row, job, new = begun(installed, free)
    exact(installed)
    if lost:
        gone, = installed.rows("snapshots", project_id=lost)
        with installed.db.write() as tx:
            tx.execute(sa.delete(schema.snapshots).where(schema.snapshots.c.id == gone.id))
            quotas.release(tx, quotas.snapshot_share(installed.conf, gone))
        exact(installed)
    ended(installed, row, job)
    exact(installed)
    assert {one.volume_type_id for one in installed.rows("snapshots")} == {new}


def test_a_volume_that_was_never_made_has_no_usage_of_any_type(installed):
    """An administrator can make it available by force."""
    row, job, _ = begun(installed, counted=False)
    ended(installed, row, job)
    exact(installed)


@pytest.mark.parametrize("of_before", [False, True])
def test_usage_is_exact_when_it_is_given_up(installed, of_before):
    """Also when a service of the release before has begun it, which counts the volume alone."""
    row, job, _ = begun(installed)
    if of_before:
        with installed.db.write() as tx:
            retypes.release(tx, row, job.args)
            args = {key: value for key, value in job.args.items() if key != "shares"}
            retypes.claim(tx, row, {PROJECT: {"volumes": 1, "gigabytes": 2}}, args["new_type_id"],
                          quotas.Allowance({}, {}))
            tx.execute(sa.update(schema.jobs).values(args=args))
        exact(installed)
    with installed.db.write() as tx:
        cancellation.all_jobs(tx, installed.conf, "volume", row.id)
        VOLUME.write(tx, row.id, status=states.AVAILABLE)
    exact(installed)


def test_snapshots_with_the_former_type_are_updated(installed):
    """Releases before left them at the type that the volume had."""
    row, job, new = begun(installed)
    oldest = installed.add("volume_types", name="oldest", extra_specs={})
    with installed.db.write() as tx:
        tx.execute(sa.update(schema.snapshots).values(volume_type_id=oldest))
    counted(installed)
    ended(installed, row, job)
    exact(installed)
    assert {one.volume_type_id for one in installed.rows("snapshots")} == {new}
