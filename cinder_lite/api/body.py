"""Parses bodies of requests as JSON and validates them against the schema of the request's version."""

from collections.abc import Mapping
from typing import Any

import jsonschema
import orjson
from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.api.body_errors import sentence
from cinder_lite.api.body_formats import CHECKER
from cinder_lite.api.body_schema import TRUE, Schema, at
from cinder_lite.db import metadata_limits

#: The number of nested objects and arrays that a body may have.
MAX_DEPTH = 50


def is_true(value: Any) -> bool:
    """Whether a value of a body is true, in any of the spellings."""
    return value is True or str(value) in TRUE


def names(body: Mapping[str, Any], given_only: bool = False) -> dict[str, Any]:
    """The name and description of a body, stripped, from either of their keys; with `given_only` only existing ones."""
    found = {}
    for key, older in (("name", "display_name"), ("description", "display_description")):
        if not given_only or key in body or older in body:
            value = body[key] if key in body else body.get(older)
            found[key] = value.strip() if isinstance(value, str) else value
    return found


def read(raw: bytes, content_type: str) -> dict[str, Any] | None:
    """The document of a body; None for an empty one. Raises BadRequest or BadMediaType."""
    if not raw:
        return None
    media = content_type.split(";")[0].strip().lower()
    if media not in ("", "application/json", "application/vnd.openstack.volume+json"):
        raise errors.BadMediaType(content_type=media)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.BadRequest(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise errors.BadRequest("The body is nested too deeply.") from error
    if not isinstance(document, dict):
        raise errors.BadRequest("The body must be a JSON object.")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(document)
    if b"\\u0000" in raw:
        raise errors.BadRequest("The body has a NUL character in a text, which cannot be stored.")
    return document


def _check_depth(document: Any) -> None:
    """Raise BadRequest for a document nested so deeply that orjson could read it but not write it again."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
                 if isinstance(inner, dict | list)]
    if level:
        raise errors.BadRequest(f"The body is nested too deeply; at most {MAX_DEPTH} levels are accepted.")


def check(document: Mapping[str, Any] | None, schema: Schema, version: versions.Version) -> dict[str, Any]:
    """The document without the keys that the version ignores. Raises BadRequest when the schema does not accept it."""
    if document is None:
        raise errors.PreconditionFailed("The request has no body; a JSON object is needed.")
    validator = _validator(schema, version)
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        raise errors.BadRequest(sentence(error))
    return _known_part(document, validator.schema)


def _known_part(document: Any, schema: Schema) -> Any:
    properties = schema.get("properties")
    if not isinstance(document, dict) or not properties:
        return document
    ignoring = schema.get("additionalProperties") is True
    return {key: _known_part(value, properties.get(key, {})) for key, value in document.items()
            if key in properties or not ignoring}


#: As in draft 4 a float such as 1.0 is no integer.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, type_checker=jsonschema.Draft4Validator.TYPE_CHECKER)


#: (id of a schema, version) -> (the schema, which keeps its id in use; its validator)
_VALIDATORS: dict[tuple[int, versions.Version], tuple[Schema, Any]] = {}


def _validator(schema: Schema, version: versions.Version) -> Any:
    key = id(schema), version
    if key not in _VALIDATORS:
        _VALIDATORS[key] = schema, _Validator(at(schema, version), format_checker=CHECKER)
    return _VALIDATORS[key][1]


#: Keys of bodies whose mappings are stored with a resource.
STORED = ("metadata", "extra_specs", "group_specs", "qos_specs")
#: Keys of a QoS spec that are no specs.
NOT_SPECS = ("name", "consumer")


def check_item_counts(conf: cfg.ConfigOpts, document: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a mapping with more items than a resource may have.

    Items that are added to those of a resource are counted by the handler.
    """
    for key, value in document.items():
        if isinstance(value, dict):
            if key in STORED:
                ignored = NOT_SPECS if key == "qos_specs" else ()
                metadata_limits.check_items(conf, {name: one for name, one in value.items() if name not in ignored})
            else:
                check_item_counts(conf, value)
