"""The published API surface against ROUTES: api-surface.csv has a row for each operation of the Block Storage API.

`served` is `here` for operations in ROUTES, `app` for those in api/app.py (see gabbi/versions.yaml), `later` for those
that are not implemented. `keys` are the keys of the response document, `text` for other responses, `*` for those of the
resource. `errors` are the faults that conformance.py accepts in tests of this tier.
"""

import csv
import pathlib
import re

import pytest

from cinder_lite.api import policy, versions, view
from cinder_lite.api.routes import ROUTES
from cinder_lite.api.schemas import responses

ROWS = list(csv.DictReader((pathlib.Path(__file__).parent / "api-surface.csv").open()))
#: What this service has beyond the published surface.
OWN = {("GET", "/jobs", ""), ("GET", "/jobs/{}", "")}
WHO = {"reader": policy.READER, "member": policy.MEMBER, "admin": policy.ADMIN}
#: Operations that ask for a policy themselves: the project is in the path, or only part of the answer depends on it.
ASKS_ITSELF = {"/os-quota-sets/{}", "/os-quota-sets/{}/defaults", "/limits"}
ROUTE_OF = {(route.method, re.sub(r"\{[^}]*\}", "{}", route.path), route.action or ""): route for route in ROUTES}


def key(row):
    return row["method"], re.sub(r"\{[^}]*\}", "{}", row["path"]), row["action"]


def name(row):
    return " ".join(filter(None, (row["method"], row["path"], row["action"])))


@pytest.mark.parametrize("row", [row for row in ROWS if row["served"] == "here"], ids=name)
def test_a_row_has_its_route(row):
    route = ROUTE_OF.get(key(row))
    assert route is not None, f"no route for {name(row)}"
    assert route.since == row["since"]
    assert str(route.status) == row["status"]
    if key(row)[1] in ASKS_ITSELF and route.policy is None:
        return
    wanted = WHO.get(row["who"])
    assert (policy.RULES[route.policy][0] if route.policy else None) == wanted


@pytest.mark.parametrize("row", [row for row in ROWS if row["served"] == "here"], ids=name)
def test_a_row_answers_with_its_keys(row):
    route, keys = ROUTE_OF[key(row)], set(row["keys"].split())
    schema = responses.of_route(route, versions.MAXIMUM)
    if schema is None:
        assert keys == ({"text"} if route.view is view.text else set())
    elif keys != {"*"}:
        # Lists may say how many there are and where they go on.
        more = {one for one in schema["properties"] if one == "count" or one.endswith("_links")}
        assert keys <= set(schema["properties"]) <= keys | more


def test_every_route_has_its_row():
    assert ROUTE_OF.keys() - {key(row) for row in ROWS if row["served"] == "here"} == OWN


def test_later_operations_have_no_route():
    assert [name(row) for row in ROWS if row["served"] == "later" and key(row) in ROUTE_OF] == []


def test_no_operation_stands_twice():
    assert len(ROUTE_OF) == len(ROUTES)
    assert len({key(row) for row in ROWS}) == len(ROWS)


def test_no_action_shares_a_path_with_a_plain_post():
    actions = {route.path for route in ROUTES if route.action}
    assert [route.path for route in ROUTES if route.path in actions and not route.action] == []
