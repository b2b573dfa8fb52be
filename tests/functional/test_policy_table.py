"""The policy of each operation for each persona, by the policy defaults in the published API surface.

The requests go to the application, with identities in headers. Operations on a resource of the own project stop before
the handler. Operations on a resource of another project are executed, because they find nothing.
"""

import copy
import dataclasses
import json
import uuid

import pytest
import sqlalchemy as sa
import webob

from cinder_lite import context, db, errors, states
from cinder_lite.api import route_table
from cinder_lite.api.routes import ROUTES
from cinder_lite.db import schema
from tests.functional import bodies, test_surface
from tests.functional.client import Client
from tests.functional.installation import PLAIN
from tests.functional.service import Service

BLUE, GREEN, RED = "b" * 32, "c" * 32, "d" * 32
READER, MEMBER, ADMIN = ("reader",), ("member", "reader"), ("admin", "manager", "member", "reader")


@dataclasses.dataclass(frozen=True)
class Persona:
    """A requester with roles in a project or in the system; `may` are the rights in the published surface."""

    project: str | None
    roles: tuple
    may: frozenset
    system: str | None = None


def persona(project, roles, *may, system=None):
    return Persona(project, roles, frozenset(("any-token", *may)), system)


PERSONAS = {
    "admin": persona(RED, ADMIN, "reader", "member", "admin"),
    "manager": persona(BLUE, ("manager", *MEMBER), "reader", "member"),
    "member": persona(BLUE, MEMBER, "reader", "member"),
    "reader": persona(BLUE, READER, "reader"),
    "nobody": persona(BLUE, ()),
    "service": persona(BLUE, ("service",)),
    "system admin": persona(None, ADMIN, "reader", "member", "admin", system="all"),
    "system reader": persona(None, READER, system="all"),
    "without project": persona(None, ()),
    "other member": persona(GREEN, MEMBER, "reader", "member"),
    "other reader": persona(GREEN, READER, "reader"),
    "other nobody": persona(GREEN, ()),
    "nobody's token": None,
}
#: Arguments of paths that name a resource of a project, with the table of its row.
OWNED = {"volume_id": "volumes", "snapshot_id": "snapshots", "attachment_id": "attachments", "backup_id": "backups",
         "message_id": "messages", "job_id": "jobs", "transfer_id": "transfers", "group_id": "volume_groups",
         "group_snapshot_id": "group_snapshots"}
#: Arguments that are ids of what belongs to no project.
SHARED = {"type_id", "group_type_id", "qos_id", "encryption_id", "target_project_id", "default_project_id"}
PLAIN_ROWS = {**PLAIN,
              "messages": {"event_id": "e", "message_level": "ERROR", "user_message": "m", "expires_at": db.now()},
              "jobs": {**PLAIN["jobs"], "kind": "volume", "action": "create", "resource_id": "x"}}
#: Bodies of operations that look into them before they look for the resource, by path and action.
BODIES = {("/backups/{backup_id}", None): {"backup": {"name": "n"}},
          ("/volumes/{volume_id}", None): {"volume": {"name": "n"}},
          ("/groups/{group_id}", None): {"group": {"name": "n"}},
          **dict.fromkeys((("/consistencygroups/{group_id}", None), ("/consistencygroups/{group_id}/update", None)),
                          {"consistencygroup": {"name": "n"}}),
          ("/volumes/{volume_id}/action", "os-attach"): {"os-attach": {"mountpoint": "/dev/vdb", "host_name": "h"}}}
#: What a column holds that nothing depends on, by its type.
FILLERS = {sa.String: "x", sa.Integer: 1, sa.Boolean: False, sa.JSON: {}}
REACHED = 418


class Reached(errors.Error):
    """The handler would have begun."""

    status = REACHED


class Known:
    """Identities selected by a header."""

    def __call__(self, http, request_id, _global_id):
        found = PERSONAS[http.headers["X-Persona"]]
        if found is None:
            return 401, [], b""
        return context.Context(user_id="someone", project_id=found.project, roles=list(found.roles),
                               system_scope=found.system, request_id=request_id, overwrite=False)


def _stub(found):
    def handler(_req):
        raise Reached("reached")
    return dataclasses.replace(found, handler=handler, body=None)


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False) as running:
        yield running


@pytest.fixture(scope="module")
def applications(service):
    """(the application, the application whose handlers do nothing)."""
    real = copy.copy(service.services[-1].application)
    real.authenticate = Known()
    hollow = copy.copy(real)
    hollow.table = route_table.Table(_stub(found) if found.policy is not None else found for found in ROUTES)
    return real, hollow


@pytest.fixture(scope="module")
def ids(service):
    """A resource of the project blue of each kind: argument -> id."""
    made = {"key": "a", "type_id": Client(service.url)("GET", "/types", expect=200)["volume_types"][0]["id"]}
    with service.process.db.write() as tx:
        for argument, name in OWNED.items():
            table = schema.METADATA.tables[name]
            row = _row(table, made)
            made[argument] = row["id"]
            tx.execute(sa.insert(table).values(**row))
    return made


def _row(table, made):
    """A row of the project blue with something in every column that must not be empty."""
    given = {**PLAIN_ROWS.get(table.name, {}), "project_id": BLUE, "id": str(uuid.uuid4()), "created_at": db.now(),
             "status": states.AVAILABLE}
    row = {key: value for key, value in given.items() if key in table.c}
    for column in table.c:
        if not column.nullable and column.default is None and column.name not in row:
            row[column.name] = made.get(column.name) or FILLERS[type(column.type)]
    return row


def arguments(found):
    return [part[1:-1] for part in found.path.split("/") if part.startswith("{")]


def wanted(found, who):
    """The statuses that are right for this operation and this persona."""
    person = PERSONAS[who]
    if person is None:
        return {401}
    if person.project is None and not (person.system and "admin" in person.may):
        return {403}
    right = _right(found)
    if person.project is None:
        return {403} if found.method != "GET" and right != "admin" else _allowed(found)
    if person.project == GREEN and "target_project_id" in arguments(found):
        return {403}
    if found.path.endswith("/accept"):  # a transfer is for another project
        return _allowed(found) if right in person.may else {403, 404}
    of_others = person.project == GREEN and set(arguments(found)) & OWNED.keys()
    if of_others:
        return {404}
    return _allowed(found) if right in person.may else {403}


def _allowed(found):
    return {REACHED} if found.policy is not None else {200, 404}


def _right(found):
    if found.path == "/limits":
        return "any-token"  # only what is used is for readers
    rows = [row for row in test_surface.ROWS if test_surface.ROUTE_OF.get(test_surface.key(row)) == found]
    return rows[0]["who"] if rows else "reader"


def test_every_id_in_a_path_is_classified_by_project():
    ids = {name for found in ROUTES for name in arguments(found) if name.endswith("_id")}
    assert ids - OWNED.keys() - SHARED == set()


CELLS = [(found, who) for found in ROUTES for who in PERSONAS]


@pytest.mark.parametrize(("found", "who"), CELLS, ids=lambda part: part if isinstance(part, str) else " ".join(
    filter(None, (part.method, part.path, part.action))))
def test_a_cell(applications, ids, found, who):
    right = wanted(found, who)
    real, hollow = applications
    path = found.path.format(**{name: ids.get(name, BLUE) for name in arguments(found)})
    request = webob.Request.blank(f"/v3{path}", method=found.method)
    request.headers.update({"X-Persona": who, "OpenStack-API-Version": f"volume {found.until or '3.71'}"})
    if found.body is not None:
        request.body = json.dumps(BODIES.get((found.path, found.action)) or bodies.smallest(found.body)).encode()
        request.content_type = "application/json"
    answer = request.get_response(real if right == {404} else hollow)
    assert answer.status_int in right, answer.text
