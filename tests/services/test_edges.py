"""Requests at the limits on MariaDB and PostgreSQL: no 5xx, complete lists."""

import json
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinder_lite.api.routes import ROUTES
from cinder_lite.db import attachments, backups, snapshots, volumes
from tests.functional import test_fuzz as fuzz
from tests.services import servers
from tests.services.crowd import KINDS, Crowd

COUNT = 9
LISTINGS = {"volumes": volumes.LISTING, "snapshots": snapshots.LISTING, "backups": backups.LISTING,
            "attachments": attachments.LISTING}
LISTS = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path]
NOBODY = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL], ids=lambda kind: kind.name)
def crowd(request, tmp_path_factory):
    with request.param() as server:
        server.start()
        made = Crowd(server.url, str(tmp_path_factory.mktemp("edges")))
        for kind in KINDS:
            made.add(kind, COUNT)
        yield made
        made.close()


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, listing in LISTINGS.items()
                                           for key in sorted(listing.sorts)])
def test_pages_by_every_key_are_the_list(crowd, kind, key, direction):
    """Each row once, whatever it is sorted by."""
    path = f"/{kind}?all_tenants=1&sort={key}:{direction}"
    whole = [row["id"] for row in crowd.request(path)[1][kind]]
    found, marker = [], ""
    while page := [row["id"] for row in crowd.request(f"{path}&limit=2{marker}")[1][kind]]:
        found += page
        marker = f"&marker={page[-1]}"
    assert found == whole
    assert len(whole) == COUNT


@pytest.mark.parametrize("path", LISTS)
def test_no_query_is_too_much(crowd, path):
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(query=st.lists(st.tuples(fuzz.KEYS, fuzz.WORDS), min_size=1, max_size=3), version=fuzz.VERSIONS)
    def check(query, version):
        status = fuzz.ask(crowd.application, "GET", f"/v3{path}", urllib.parse.urlencode(query), None, version)
        assert status < 500, (path, query, version)

    check()


#: What is changed at once, without a service that would have to answer.
CHANGES = [route for route in ROUTES if route.body is not None and "action" not in route.path
           and not route.path.startswith(("/attachments", "/os-services/", "/backups/{backup_id}/restore"))]


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: f"{route.method} {route.path}")
def test_no_value_is_too_strange(crowd, route):
    arguments = {"volume_id": crowd.ids["volumes"][0], "snapshot_id": crowd.ids["snapshots"][0],
                 "backup_id": crowd.ids["backups"][0], "target_project_id": "p", "default_project_id": "p",
                 "class_name": "default", "key": "a", "host": "h"}
    names = [word.strip("{}") for word in route.path.split("/") if word.startswith("{")]
    path = "/v3" + route.path.format(**{name: arguments.get(name, NOBODY) for name in names})
    for document in fuzz.places(route.body):
        text = json.dumps(document)
        for name, strange in fuzz.STRANGE.items():
            raw = text.replace(json.dumps(fuzz.PLACE), strange).encode()
            status = fuzz.ask(crowd.application, route.method, path, "", raw, "3.71")
            assert status < 500, (name, raw[:500])
