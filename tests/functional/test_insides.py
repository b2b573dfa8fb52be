"""Members see no names of hosts, backends, pools and paths, and no capacities, in any response."""

import json
import os
import re
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.api.routes import ROUTES
from cinder_lite.db import schema
from tests.functional import people
from tests.functional.installation import PLAIN
from tests.functional.service import Service, until

HOST = "nodeseven"
GONE = "vanished@shelf-9#shelf-9"
#: What only administrators read. Parts of answers that initiators need are looked at apart.
NAMES = (HOST, "file-1", "null-1", "vanished", "shelf-9", "/tmp/", "cinder-lite-", "filter_function", ".py",
         "Traceback")
CAPACITY = re.compile(r"free [0-9]|[0-9] GiB of [0-9]|provisioned|over-subscribed|can be given out|in reserve|of "
                      r"[0-9]+ pool")
NEEDED = ("connection_info",)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    default = ("quota_volumes = -1\nquota_gigabytes = -1\nquota_groups = -1\nrpc_reply_timeout = 2\nservice_down_time "
               "= 5\n"
               "glance_api_servers = http://nodeseven.invalid:9292\nglance_num_retries = 0\n"
               "scheduler_max_attempts = 2\nscheduler_default_filters = "
               "AvailabilityZoneFilter,CapacityFilter,CapabilitiesFilter,SameBackendFilter\n"
               + people.options(tmp_path_factory.mktemp("people")))
    with Service(backends=("file-1", "null-1"), default=default, host=HOST) as running:
        yield running


@pytest.fixture(scope="module")
def root(service):
    return people.client(service, "root")


@pytest.fixture(scope="module")
def ann(service, types):
    return people.client(service, "ann")


@pytest.fixture(scope="module")
def types(root):
    """A volume type for each backend, and one that nothing fits."""
    made = {}
    for name, backend in (("files", "file-1"), ("nothing", "null-1"), ("tape", "nowhere")):
        type_ = root("POST", "/types", {"volume_type": {"name": name}}, expect=200)["volume_type"]
        root("POST", f"/types/{type_['id']}/extra_specs", {"extra_specs": {"volume_backend_name": backend}}, expect=200)
        made[name] = type_["id"]
    made["group"] = root("POST", "/group_types", {"group_type": {"name": "together"}}, expect=202)["group_type"]["id"]
    return made


def insides(document):
    """Return the names in the document that members must not see."""
    def without(value):
        if isinstance(value, dict):
            return {key: without(inner) for key, inner in value.items() if key not in NEEDED}
        return [without(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(without(document))
    return [name for name in NAMES if name in text] + CAPACITY.findall(text)


def failed(client, kind, id):
    """Wait until the resource is in an error."""
    until(lambda: client("GET", f"/{kind}/{id}", expect=200)[kind[:-1]]["status"].startswith("error"),
          f"{kind} {id} to fail")


def story(client, id):
    """Return everything that a client can read about the failures of a resource."""
    return [client("GET", f"/jobs?resource_id={id}&all_tenants=1", expect=200),
            client("GET", f"/messages?resource_uuid={id}", expect=200)]


def row(service, table, **values):
    values = {**PLAIN[table], "id": str(uuid.uuid4()), "project_id": "blue", "created_at": db.now(), **values}
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.METADATA.tables[table]).values(**values))
    return values["id"]


# -- what was accepted and failed

def too_large(service, ann, types):
    return "volumes", ann.create("volumes", size=200000, volume_type="files")["id"], "there is not enough free capacity"


def no_such_type(service, ann, types):
    return "volumes", ann.create("volumes", size=1,
                                 volume_type="tape")["id"], "no storage offers what the volume type asks for"


def no_such_zone_of_source(service, ann, types):
    id = row(service, "volumes", host=GONE, volume_type_id=types["files"])
    return "volumes", ann.create("volumes", size=1, source_volid=id)["id"], "anywhere else than its source"


def lost_data(service, ann, types):
    volume = ann.made("volumes", size=1, volume_type="files")["id"]
    snapshot = ann.made("snapshots", volume_id=volume)["id"]
    os.unlink(os.path.join(service.state, "volumes", f"snapshot-{snapshot}"))
    return "volumes", ann.create("volumes", size=1, snapshot_id=snapshot)["id"], "the storage backend failed"


def lost_source_of_snapshot(service, ann, types):
    volume = ann.made("volumes", size=1, volume_type="files")["id"]
    os.unlink(os.path.join(service.state, "volumes", f"volume-{volume}"))
    return "snapshots", ann.create("snapshots", volume_id=volume)["id"], "the storage backend failed"


def hint(service, ann, types):
    answer = ann("POST", "/volumes", {"volume": {"size": 1, "volume_type": "files"},
                                      "OS-SCH-HNT:scheduler_hints": {"same_host": [str(uuid.uuid4())]}}, expect=202)
    return "volumes", answer["volume"]["id"], "same_host cannot be followed"


def no_bytes(service, ann, types):
    volume = ann.made("volumes", size=1, volume_type="nothing")["id"]
    return "backups", ann.create("backups", volume_id=volume)["id"], "the storage backend failed"


def group_nowhere(service, ann, types):
    group = ann("POST", "/groups", {"group": {"group_type": types["group"], "volume_types": [types["tape"]]}},
                expect=202)
    return "groups", group["group"]["id"], "no storage offers what the volume type asks for"


FAILURES = (too_large, no_such_type, no_such_zone_of_source, lost_data, lost_source_of_snapshot, hint, no_bytes,
            group_nowhere)


@pytest.mark.parametrize("fail", FAILURES)
def test_reasons_are_in_the_terms_of_the_requester(service, ann, root, types, fail):
    kind, id, why = fail(service, ann, types)
    failed(ann, kind, id)
    shown = story(ann, id)
    assert why in json.dumps(shown), shown
    assert insides([shown, ann("GET", f"/{kind}/{id}", expect=200)]) == []
    jobs = shown[0]["jobs"]
    assert all(job["host"] is job["owner"] is None and job["error"] for job in jobs) and jobs
    assert all(job["decision"]["ranked"] == job["decision"]["refusals"] == [] for job in jobs if job["decision"])
    for job in jobs:
        assert insides(ann("GET", f"/jobs/{job['id']}", expect=200)) == []
        seen = root("GET", f"/jobs/{job['id']}", expect=200)["job"]
        assert insides(seen), seen
    for message in shown[1]["messages"]:
        assert insides(ann("GET", f"/messages/{message['id']}", expect=200)) == []
        assert root("GET", f"/messages/{message['id']}",
                    expect=200)["message"]["user_message"] != message["user_message"]


def test_jobs_are_not_found_by_their_host(ann, root):
    ann.made("volumes", size=1, volume_type="nothing")
    assert root("GET", "/jobs?host=elsewhere&all_tenants=1", expect=200)["jobs"] == []
    assert ann("GET", "/jobs?host=elsewhere", expect=200) == ann("GET", f"/jobs?host={HOST}@null-1", expect=200)


def test_reasons_of_earlier_releases_are_hidden(service, ann, root):
    text = f"create: {HOST}@file-1#file-1 has free 3 GiB of 9 GiB"
    job = row(service, "jobs", kind="volume", action="create", resource_id=str(uuid.uuid4()), status="failed",
              error=text)
    message = str(uuid.uuid4())
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.messages).values(
            id=message, project_id="blue", event_id="VOLUME_VOLUME_001_003", message_level="ERROR", user_message=text,
            created_at=db.now(), expires_at=db.now().replace(year=2099)))
    for path in (f"/jobs/{job}", f"/messages/{message}"):
        seen = ann("GET", path, expect=200)
        assert insides(seen) == [] and "administrator can look up" in str(seen)
        assert text in str(root("GET", path, expect=200))
    assert ann("GET", f"/messages/{message}", expect=200)["message"]["user_message"].startswith("create: ")


# -- what was refused

def refusals(service, ann, types):
    """(method, path, body) of requests that are refused, or that fail."""
    files = ann.made("volumes", size=1, volume_type="files")["id"]
    null = ann.made("volumes", size=1, volume_type="nothing")["id"]
    away = row(service, "volumes", host=GONE, volume_type_id=types["files"])
    group = ann("POST", "/groups", {"group": {"group_type": types["group"], "volume_types": [
        types["files"], types["nothing"]]}}, expect=202)["group"]["id"]
    ann.settled("groups", group, "available", "error")
    connector = {"connector": {"host": "h", "initiator": "iqn.2026-01.test:a", "ip": "127.0.0.1"}}
    yield "POST", f"/volumes/{files}/action", {"os-extend": {"new_size": 200000}}
    yield "POST", f"/volumes/{away}/action", {"os-initialize_connection": connector}
    yield "POST", f"/volumes/{away}/action", {"os-terminate_connection": connector}
    yield "POST", "/attachments", {"attachment": {"volume_uuid": away, "instance_uuid": str(uuid.uuid4()), **connector}}
    for volume in (files, null):
        yield "PUT", f"/groups/{group}", {"group": {"add_volumes": volume}}
        yield "POST", "/volumes", {"volume": {"size": 1, "source_volid": volume, "group_id": group}}
    yield "POST", "/volumes", {"volume": {"size": 1, "imageRef": str(uuid.uuid4())}}
    yield "POST", f"/volumes/{files}/action", {"os-volume_upload_image": {"image_name": "i"}}
    yield "POST", f"/volumes/{files}/action", {"os-reimage": {"image_id": str(uuid.uuid4())}}
    yield "POST", "/volumes", {"volume": {"size": 1, "availability_zone": "nowhere"}}
    yield "POST", "/volumes", {"volume": {"size": 300000}}
    yield "POST", f"/volumes/{files}/action", {"os-retype": {"new_type": "tape", "migration_policy": "never"}}
    yield "POST", f"/groups/{group}/action", {"enable_replication": {}}
    yield "GET", f"/volumes?host={HOST}@file-1", None
    yield "GET", "/scheduler-stats/get_pools?detail=true", None
    yield "POST", "/manageable_volumes", {"volume": {"host": "x@y#z", "ref": {"source-name": "x"}}}


def test_refusals_name_nothing_of_the_clouds_inside(service, ann, types):
    reported = []
    for method, path, body in refusals(service, ann, types):
        status, document = ann(method, path, body)
        reported.append((method, path, status))
        assert insides(document) == [] or f"host={HOST}" in path, (path, document)
        if method == "POST" and "free capacity" in str(document):
            assert "200000" not in str(document)
    assert {status for *_, status in reported} >= {400, 403, 500, 503}, reported


def test_a_target_that_is_away_is_not_described(service, ann, root, types):
    volume = ann.made("volumes", size=1, volume_type="files")["id"]
    service.tgtd.stop()
    try:
        body = {"os-initialize_connection": {"connector": {"host": "h", "initiator": "iqn.2026-01.test:a",
                                                           "ip": "127.0.0.1"}}}
        status, document = ann("POST", f"/volumes/{volume}/action", body)
        assert status >= 400 and insides(document) == []
    finally:
        service.tgtd.start()


# -- every GET

def test_no_get_shows_the_clouds_inside(service, ann, types):
    """Every GET there is, of resources of each kind, at the oldest and the newest version."""
    volume = ann.made("volumes", size=1, volume_type="files")["id"]
    snapshot = ann.made("snapshots", volume_id=volume)["id"]
    backup = ann.made("backups", volume_id=volume)["id"]
    group = ann("POST", "/groups", {"group": {"group_type": types["group"], "volume_types": [types["files"]]}},
                expect=202)
    attachment = ann("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": str(uuid.uuid4()),
        "connector": {"host": "h", "initiator": "iqn.2026-01.test:a", "ip": "127.0.0.1"}}},
                     expect=200)["attachment"]["id"]
    message = ann("GET", "/messages", expect=200)["messages"]
    names = {"volume_id": volume, "snapshot_id": snapshot, "backup_id": backup, "group_id": group["group"]["id"],
             "attachment_id": attachment, "type_id": types["files"], "group_type_id": types["group"],
             "key": "volume_backend_name",
             "message_id": message[0]["id"] if message else "x",
             "job_id": ann("GET", "/jobs", expect=200)["jobs"][0]["id"],
             "project_id": "blue", "target_project_id": "blue", "id": "blue", "host": "x", "name": "x"}
    answered = 0
    for route in ROUTES:
        if route.method != "GET":
            continue
        path = re.sub(r"\{(\w+)[^}]*\}", lambda found: names.get(found[1], "x"), route.path)
        for version in {route.since, route.until or "3.71"}:
            status, document = ann("GET", path, version=version)
            answered += status == 200
            assert insides(document) == [], (path, version, document)
    assert answered > 60


def test_the_command_shows_members_the_same(service, ann, types):
    import subprocess
    import sys

    id = ann.create("volumes", size=200000, volume_type="files")["id"]
    failed(ann, "volumes", id)
    env = {**os.environ, "OS_AUTH_TYPE": "http_basic", "OS_ENDPOINT": f"{service.url}/v3", "OS_USERNAME": "ann",
           "OS_PASSWORD": people.password("ann"), "OS_PROJECT_ID": "blue", "OS_VOLUME_API_VERSION": "3.71"}
    for words in (["explain", id], ["jobs"]):
        done = subprocess.run([sys.executable, "-m", "cinder_lite.client.shell", *words], env=env, capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0 and insides([done.stdout, done.stderr]) == [], done
        assert words[0] != "explain" or "not enough free capacity" in done.stdout
