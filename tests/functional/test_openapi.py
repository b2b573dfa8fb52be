"""The OpenAPI document: complete, valid, and consistent with the service."""

import json

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate

from cinder_lite.api import openapi, versions
from cinder_lite.api.routes import ROUTES
from cinder_lite.api.schemas import responses
from cinder_lite.api.view import text
from cinder_lite.cmd import manage
from tests.functional.client import Client
from tests.functional.service import Service

VERSIONS = ("3.0", "3.27", "3.55", "3.71")


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False, default="rpc_reply_timeout = 5\nquota_volumes = -1") as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_served(service, version):
    document = requests.get(f"{service.url}/openapi.json?version={version}", timeout=60).json()
    assert document == json.loads(json.dumps(openapi.document(versions.number(version))))
    assert document["info"]["version"] == version
    served = {(route.path, route.method.lower()) for route in ROUTES
              if route.served_at(versions.requested(f"volume {version}"))}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods
            if method != "parameters"} == served


@pytest.mark.once
def test_the_documents_of_all_versions_are_sound():
    """Validated together, for most of each is in others, too: every path as often as it differs."""
    together, seen = openapi.document(), {}
    for minor in range(versions.MINIMUM[1], versions.MAXIMUM[1] + 1):
        for path, item in openapi.document((3, minor))["paths"].items():
            seen.setdefault((path, json.dumps(item).replace(f"volume 3.{minor}\"", "volume 3\"")), minor)
    together["paths"] = {}
    for (path, item), minor in seen.items():
        item = json.loads(item)
        for method in item.keys() - {"parameters"}:
            item[method]["operationId"] += f"_{minor}"
        together["paths"][f"/3.{minor}{path}"] = item
    assert len(together["paths"]) > len(openapi.document()["paths"])
    validate(together)


def test_the_newest_is_the_default(service):
    answer = requests.get(f"{service.url}/openapi.json", timeout=60)
    assert answer.json()["info"]["version"] == versions.text(versions.MAXIMUM)
    assert requests.get(f"{service.url}/openapi.json?version=3.99", timeout=60).status_code == 406
    assert requests.get(f"{service.url}/openapi.json?version=new", timeout=60).status_code == 400


def test_the_command_prints_it(service, capsys):
    assert manage.main(["openapi", "--microversion", "3.59", "--config-file", service.config_file]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(openapi.document((3, 59))))


def test_every_answer_has_a_schema():
    """An object without properties would accept anything."""
    def unsaid(schema):
        if isinstance(schema, dict):
            here = schema.get("type") == "object" and not schema.keys() & {"properties", "additionalProperties"}
            return here or any(map(unsaid, schema.values()))
        return isinstance(schema, list) and any(map(unsaid, schema))

    loose = [f"{route.method} {route.path} {route.action or ''}" for route in ROUTES
             if route.view not in (None, text) and unsaid(responses.of_route(route, versions.MAXIMUM)
                                                          or {"type": "object"})]
    assert loose == []


def test_schemas_are_schemas():
    for route in ROUTES:
        schema = responses.of_route(route, versions.MAXIMUM)
        if schema is not None:
            jsonschema.Draft202012Validator.check_schema(schema)


# -- as schemathesis sees it

class Here:
    """The service that the generated requests go to; it starts with the first of them."""

    running = None


@pytest.fixture(scope="module", autouse=True)
def here(service):
    Here.running = service
    client = Client(service.url)
    client.made("volumes", size=1)
    yield
    Here.running = None


def differing(version, other):
    """The document of a version without the operations that the other version's has just so."""
    found, there = openapi.document(versions.number(version)), openapi.document(versions.number(other))
    for path, item in list(found["paths"].items()):
        for method in item.keys() - {"parameters"}:
            one, same = (json.dumps(operation).replace(f"volume {word}", "volume") for operation, word in (
                (item[method], version), (there["paths"].get(path, {}).get(method), other)))
            if one == same.replace('"required": true, "schema": {"type": "string", "const": "volume"',
                                   '"required": false, "schema": {"type": "string", "const": "volume"',
                                   version == "3.0"):
                del item[method]
        if not item.keys() - {"parameters"}:
            del found["paths"][path]
    return found


def keeps_to_it(version, document, examples):
    """A test that asks each operation of a document, in right ways and wrong ones."""
    schema = schemathesis.openapi.from_dict(document)

    @schema.parametrize()
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    def test(case):
        # Without its header a request would be of another version than the document.
        case.headers = {**(case.headers or {}), "X-Auth-Token": "tester:a0000000000000000000000000000001",
                        versions.HEADER: f"volume {version}"}
        # What hangs fails by its timeout.
        response = case.call(base_url=f"{Here.running.url}/v3", timeout=60)
        case.validate_response(response, checks=[
            schemathesis.checks.not_a_server_error, schemathesis.specs.openapi.checks.status_code_conformance,
            schemathesis.specs.openapi.checks.response_schema_conformance,
            schemathesis.specs.openapi.checks.content_type_conformance])

    return test


test_the_service_keeps_to_the_newest = keeps_to_it("3.71", openapi.document(), 4)
test_the_service_keeps_to_one_between = keeps_to_it("3.27", differing("3.27", "3.71"), 2)
test_the_service_keeps_to_the_oldest = keeps_to_it("3.0", differing("3.0", "3.27"), 2)
