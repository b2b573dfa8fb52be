"""Route lookup, and the fields of a view by microversion."""

import types

import pytest

from cinder_lite import errors
from cinder_lite.api import route_table
from cinder_lite.api.route import Route
from cinder_lite.api.view import Field, View

TABLE = route_table.Table([
    Route("GET", "/things", "list", None), Route("POST", "/things", "create", None),
    Route("GET", "/things/detail", "detail", None, since="3.5"), Route("GET", "/things/{thing_id}", "show", None),
    Route("PUT", "/things/{thing_id}", "old", None, until="3.9"),
    Route("PUT", "/things/{thing_id}", "new", None, since="3.10"),
    Route("POST", "/things/{thing_id}/action", "fly", None, action="fly"),
    Route("POST", "/things/{thing_id}/action", "sink", None, action="sink", since="3.5"),
    Route("GET", "/things/{thing_id}/parts/{key}", "part", None),
])


def choose(method, path, version="3.71", document=None):
    entry, arguments = TABLE.match(path)
    major, minor = version.split(".")
    return TABLE.choose(entry, method, (int(major), int(minor)), document).handler, arguments


@pytest.mark.parametrize(("method", "path", "handler", "arguments"), [
    ("GET", "/things", "list", {}), ("POST", "/things", "create", {}), ("GET", "/things/detail", "detail", {}),
    ("GET", "/things/7", "show", {"thing_id": "7"}), ("GET", "/things/a.b:c@d", "show", {"thing_id": "a.b:c@d"}),
    ("GET", "/things/7/parts/x:y z", "part", {"thing_id": "7", "key": "x:y z"}),
    ("GET", "/things/controller", "show", {"thing_id": "controller"}),
])
def test_paths(method, path, handler, arguments):
    assert choose(method, path) == (handler, arguments)


@pytest.mark.parametrize("path", ["/", "/thing", "/things/7/parts", "/things/7/parts/x/y", "/things/7/other",
                                  "//things"])
def test_paths_that_lead_nowhere(path):
    assert TABLE.match(path) == (None, {})


@pytest.mark.parametrize(("method", "path"), [("PUT", "/things"), ("PATCH", "/things/7"), ("GET", "/things/7/action")])
def test_methods_that_a_path_has_not(method, path):
    with pytest.raises(errors.NotFound):
        choose(method, path)


@pytest.mark.parametrize(("version", "handler"), [("3.0", "old"), ("3.9", "old"), ("3.10", "new"), ("3.71", "new")])
def test_versions_choose_among_routes(version, handler):
    assert choose("PUT", "/things/7", version)[0] == handler


@pytest.mark.parametrize(("method", "path", "document"), [
    ("GET", "/things/detail", None), ("POST", "/things/7/action", {"sink": None})])
def test_an_operation_below_its_version_is_not_found(method, path, document):
    with pytest.raises(errors.VersionNotFound) as refused:
        choose(method, path, "3.4", document)
    assert "3.5" in str(refused.value)


def test_actions_are_selected_by_the_body():
    assert choose("POST", "/things/7/action", document={"fly": {}})[0] == "fly"
    with pytest.raises(errors.BadRequest):
        choose("POST", "/things/7/action", document={"swim": {}})


def test_collections_are_distinguished_from_projects():
    assert TABLE.is_collection("things")
    assert not TABLE.is_collection("a1")


VIEW = View(Field("always"), Field("later", since="3.5"), Field("formerly", until="3.7"),
            Field("other", "always"), Field("twice", lambda row, req: row.always * 2, since="3.6", policy="see:twice"))


@pytest.mark.parametrize(("version", "keys"), [
    ((3, 0), "always formerly other"), ((3, 5), "always formerly later other"),
    ((3, 6), "always formerly later other twice"), ((3, 7), "always formerly later other twice"),
    ((3, 8), "always later other twice"), ((3, 71), "always later other twice")])
def test_a_view_follows_the_version(version, keys):
    row = types.SimpleNamespace(always=2, later=3, formerly=4, project_id="a1")
    shown = VIEW(row, types.SimpleNamespace(version=version, renderers={}, allows=lambda rule, project: True))
    assert sorted(shown) == keys.split()
    assert shown["other"] == 2 and shown.get("twice", 4) == 4


def test_a_view_follows_the_policy():
    row = types.SimpleNamespace(always=2, later=3, formerly=4, project_id="a1")
    asked = []
    shown = VIEW(row, types.SimpleNamespace(version=(3, 71), renderers={}, allows=lambda *what: asked.append(what)))
    assert "twice" not in shown
    assert asked == [("see:twice", "a1")]


def test_a_field_of_a_row_without_a_project_needs_the_policy_for_the_requesters():
    asked = []
    req = types.SimpleNamespace(version=(3, 71), renderers={}, allows=lambda *what: asked.append(what),
                                ctx=types.SimpleNamespace(project_id="b2"))
    assert VIEW(types.SimpleNamespace(always=2, later=3, formerly=4), req)["always"] == 2
    assert asked == [("see:twice", "b2")]


@pytest.mark.parametrize("value, keys", [(3, ["name", "note"]), (None, ["name"])])
def test_a_field_is_shown_only_of_rows_that_have_it(value, keys):
    view = View("name", Field("note", since="3.5", when=lambda row, req: row.note is not None))
    req = types.SimpleNamespace(version=(3, 6), renderers={})
    assert sorted(view(types.SimpleNamespace(name="a", note=value, project_id="a1"), req)) == keys
