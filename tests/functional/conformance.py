"""Checks responses against the OpenAPI schemas, and faults against the published ones."""

import csv
import functools
import pathlib
import re

import jsonschema

from cinder_lite import errors
from cinder_lite.api import route_table, versions
from cinder_lite.api.routes import ROUTES
from cinder_lite.api.schemas import responses

TABLE = route_table.Table(ROUTES)
#: What any operation may answer that is asked the wrong way or by the wrong one, and while something else is away.
ANYWHERE = frozenset((400, 401, 403, 406, 503))


@functools.cache
def _validator(number, version):
    schema = responses.of_route(ROUTES[number], version)
    return schema if schema is None else jsonschema.Draft202012Validator(schema)


def _key(method, path, action):
    return method, re.sub(r"\{[^}]*\}", "{}", path), action or ""


def _faults():
    """{operation: its published faults}"""
    with (pathlib.Path(__file__).parent / "api-surface.csv").open() as file:
        return {_key(row["method"], row["path"], row["action"]): frozenset(map(int, row["errors"].split()))
                for row in csv.DictReader(file)}


FAULTS = _faults()


def _of(method, path, version, sent):
    """The route that responses, or None for a path, a version or an action that there is not."""
    try:
        entry, _ = TABLE.match(path.partition("?")[0])
        return TABLE.choose(entry, method, versions.requested(f"{versions.SERVICE} {version}"), sent) if entry else None
    except errors.Error:
        return None


def check(method, path, version, sent, status, document):
    """Fail if a response does not match the schema of its route, or a fault is unlisted. `path` follows the project."""
    found = _of(method, path, version, sent)
    if status >= 300:
        key = found and _key(found.method, found.path, found.action)
        assert status in FAULTS.get(key, {status}) | ANYWHERE, f"{method} {path} answered {status}: {document}"
        return
    version = versions.requested(f"{versions.SERVICE} {version}")
    assert status == found.status, f"{method} {path} answered {status}, not {found.status}"
    validator = _validator(ROUTES.index(found), version)
    if validator is None:
        assert document is None, f"{method} {path} answered a document: {document}"
        return
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    assert error is None, f"{method} {path} at {versions.text(version)}: {error.json_path}: {error.message}"
