"""No route answers 5xx to random bodies and query strings."""

import io
import json
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinder_lite.api import body_schema
from cinder_lite.api.routes import ROUTES
from tests.functional import bodies
from tests.functional.bodies import LATEST
from tests.functional.client import Client
from tests.functional.service import Service

JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=300),
                 st.lists(st.integers(), max_size=3),
                 st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
NESTED = st.recursive(JUNK, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                                        max_size=3), max_leaves=8)
KEYS = st.sampled_from(("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants",
                        "name", "name~", "status", "size", "metadata", "created_at", "bootable", "extra_specs",
                        "is_public", "detail", "usage", "cascade", "force", "volume_type", "resource_id", "project_id",
                        "host", "group_id", "glance_metadata", "consumes_quota", "volume_id", "instance_id", "event_id",
                        "host~", "status~", "metadata~", "size~", "availability_zone", "updated_at", "migration_status",
                        "attach_status", "message_level", "list_volume", "na\u00efve", "'", "facts", "multiattach"))
WORDS = st.one_of(st.sampled_from(("", "1", "-1", "0", "true", "None", "available", "{'a': 'b'}", "{", "gt:2026-01-01",
                                   "lt:", "name:asc", "created_at", "[1]", "'", "999999999999999999999", "%",
                                   "\x00", "\ud7ff", "{[]: 1}", "{'a': '\\ud800'}", "'\\ud800'", "['\\0']",
                                   "{'\\0': 1}",
                                   "9" * 30, "[9999999999999999999]", "-9223372036854775809", "h@b#p", "\\", "_", "['",
                                   "b''",
                                   "{'\"': 1}", "{'a\\\\': 1}", "bootable:asc", "None", "2147483648", "1e400", "(1,)",
                                   "gt:0001-01-01T00:00:00+23:59", "eq:9999-12-31T23:59:59-23:59", "\U0001f600")),
                  st.text(max_size=20))
VERSIONS = st.sampled_from(("3.0", "3.4", "3.27", "3.33", "3.50", "3.59", "3.66", "3.71", "latest"))


@pytest.fixture(scope="module")
def running():
    with Service(backends=("null-1",), target=False, default="rpc_reply_timeout = 5\nquota_volumes = -1") as service:
        yield service


@pytest.fixture(scope="module")
def ids(running):
    """Things that are there, by the names that the paths of routes give to their ids."""
    client = Client(running.url)
    volume = client.made("volumes", size=1, metadata={"a": "b"})["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    attached = client.made("volumes", size=1)["id"]
    attachment = client("POST", "/attachments", {"attachment": {"volume_uuid": attached}}, expect=200)
    type_id = client("GET", "/types", expect=200)["volume_types"][0]["id"]
    offered = client.made("volumes", size=1)["id"]
    transfer = client("POST", "/volume-transfers", {"transfer": {"volume_id": offered}}, expect=202)["transfer"]["id"]
    spec = client("POST", "/qos-specs", {"qos_specs": {"name": "q", "a": "b"}}, expect=200)["qos_specs"]["id"]
    group_type = client("POST", "/group_types", {"group_type": {"name": "g", "group_specs": {"a": "b"}}},
                        expect=202)["group_type"]["id"]
    group = client("POST", "/groups", {"group": {"group_type": group_type, "volume_types": [type_id]}},
                   expect=202)["group"]["id"]
    client.settled("groups", group)
    client.made("volumes", size=1, group_id=group)
    kept = client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}},
                  expect=202)["group_snapshot"]["id"]
    return {"volume_id": volume, "snapshot_id": snapshot, "attachment_id": attachment["attachment"]["id"],
            "type_id": type_id, "transfer_id": transfer, "qos_id": spec, "group_type_id": group_type, "group_id": group,
            "group_snapshot_id": kept, "name": "cluster",
            "host": "test@null-1", "key": "a", "alias": "backups", "class_name": "default",
            "target_project_id": client.project, "default_project_id": client.project}


def like(schema, ids):
    """Values that keep to a body's schema here and there, so that some of them get past it."""
    words = [st.sampled_from(schema["enum"])] if "enum" in schema else []
    kind = schema.get("type", "object")
    if schema.get("format") == "uuid":
        words.append(st.sampled_from(sorted(ids.values())))
    if "integer" in kind:
        words.append(st.integers(min_value=-2, max_value=2**40))
    if "string" in kind:
        words.append(st.text(max_size=12))
    if "properties" in schema or "patternProperties" in schema or kind == "object":
        known = {name: like(part, ids) for name, part in schema.get("properties", {}).items()}
        needed = [name for name in schema.get("required", ()) if name in known]
        words.append(st.fixed_dictionaries({name: known[name] for name in needed}, optional={
            name: part for name, part in known.items() if name not in needed}))
        words.append(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
    return st.one_of(*words, *words, NESTED)


def ask(application, method, path, query, body, version):
    """Return the status of a response of the application. `body` is bytes or a JSON document."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    answered = []
    application({
        "REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": query,
        "SCRIPT_NAME": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8776", "HTTP_HOST": "127.0.0.1:8776",
        "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw),
        "HTTP_X_AUTH_TOKEN": "tester:a0000000000000000000000000000001",
        "HTTP_OPENSTACK_API_VERSION": f"volume {version}"}, lambda status, headers: answered.append(int(status[:3])))
    return answered[0]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path} {route.action or ''}".strip())
def test_no_request_is_too_much(route, running, ids):
    application = running.services[-1].application
    schema = route.body or {"type": "object"}

    @settings(max_examples=25, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(body=like(schema, ids), query=st.lists(st.tuples(KEYS, WORDS), max_size=3), version=VERSIONS,
           real=st.booleans(), other=st.text(min_size=1, max_size=12).filter(lambda text: "/" not in text))
    def check(body, query, version, real, other):
        arguments = {name: value if real else other for name, value in ids.items()}
        arguments.setdefault("backup_id", other)
        path = "/v3" + route.path.format(**arguments, message_id=other, job_id=other)
        status = ask(application, route.method, path, urllib.parse.urlencode(query),
                     body if route.method in ("POST", "PUT") else None, version)
        assert status < 500, (route.method, path, query, body, version)

    check()


#: What no schema has in mind, as it is written in JSON.
STRANGE = {
    "deep": "[" * 900 + "]" * 900, "deeper": '{"a":' * 50_000 + "1" + "}" * 50_000, "a huge number": "9" * 5000,
    "beyond 64 bits": str(2**64), "below 64 bits": str(-2**63 - 1), "a fraction": "1.5", "infinite": "1e999",
    "tiny": "-1e-320", "half a character": r'"\ud83d"', "NUL": r'"a\u0000b"', "backwards": '"\u202etxt.exe"',
    "wide": '"' + "\U0001f468\u200d\U0001f469" * 200 + '"', "combined": '"' + "e\u0301" * 128 + '"',
    "digits": '"\u0663"'}
PLACE = "a place for something strange"


def places(schema, version=LATEST):
    """The smallest valid bodies of the schema, each with PLACE for one value: every property, and a free key."""
    plain = body_schema.at(schema, version)
    whole = bodies.smallest(schema)
    yield from _places(plain, whole, lambda value: value)


def _places(schema, value, put):
    if not isinstance(value, dict):
        return
    for name, part in {**schema.get("properties", {}), **({"free": {}} if not schema.get("properties")
                                                          else {})}.items():
        def here(inner, name=name):
            return put({**value, name: inner})

        yield here(PLACE)
        yield from _places(part, value.get(name), here)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None],
                         ids=lambda route: f"{route.method} {route.path} {route.action or ''}".strip())
def test_no_value_is_too_strange(route, running, ids):
    path = "/v3" + route.path.format(**ids, backup_id=ids["volume_id"], message_id=PLACE, job_id=PLACE)
    for document in places(route.body):
        text = json.dumps(document)
        for name, strange in STRANGE.items():
            raw = text.replace(json.dumps(PLACE), strange).encode()
            status = ask(running.services[-1].application, route.method, path, "", raw, "3.71")
            assert status < 500, (name, raw[:500])
