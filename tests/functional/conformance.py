"""Answers against the schemas that the OpenAPI document gives them."""

import functools

import jsonschema

from cinder_lite.api import route, versions
from cinder_lite.api.routes import ROUTES
from cinder_lite.api.schemas import answers

TABLE = route.Table(ROUTES)


@functools.cache
def _validator(number, version):
    schema = answers.of_route(ROUTES[number], version)
    return schema if schema is None else jsonschema.Draft202012Validator(schema)


def check(method, path, version, sent, status, document):
    """Fail when an answer that is no fault is not as its route's schema says. `path` begins behind the project."""
    if status >= 300:
        return
    path = path.partition("?")[0]
    version = versions.asked(f"{versions.SERVICE} {version}")
    entry, _ = TABLE.match(path)
    found = TABLE.choose(entry, method, version, sent)
    assert status == found.status, f"{method} {path} answered {status}, not {found.status}"
    validator = _validator(ROUTES.index(found), version)
    if validator is None:
        assert document is None, f"{method} {path} answered a document: {document}"
        return
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    assert error is None, f"{method} {path} at {versions.text(version)}: {error.json_path}: {error.message}"
