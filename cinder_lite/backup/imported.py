"""Validates imported backup records, and converts them to columns of a backup's row.

A record comes from `export_record` of this service or of Cinder, and is untrusted.
"""

import base64
import datetime
import json
import re
from collections.abc import Mapping

import jsonschema
import orjson

from cinder_lite import db, errors
from cinder_lite.backup import cinder

RECORD_VERSION = 1
#: The largest value of an integer column.
LARGEST_INTEGER = 2**31 - 1
LONGEST = 1024**2

_ID = {"type": "string", "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"}
_OPTIONAL_ID = {"anyOf": [_ID, {"type": "null"}]}
_TEXT = {"type": ["string", "null"], "maxLength": 255}
_PAIRS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 65535},
          "propertyNames": {"minLength": 1, "maxLength": 255}}
_OPTIONAL_PAIRS = {**_PAIRS, "type": ["object", "null"]}
_CONTAINER = {"type": "string", "maxLength": 255, "pattern": r"^(?!\.)[A-Za-z0-9_.-]+(/(?!\.)[A-Za-z0-9_.-]+)*\Z"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER}
_COMMON = {
    "id": _ID, "volume_id": _ID, "snapshot_id": _OPTIONAL_ID, "parent_id": _OPTIONAL_ID,
    "size": {"type": "integer", "minimum": 1, "maximum": LARGEST_INTEGER}, "container": _CONTAINER,
    "data_timestamp": {"type": "string", "maxLength": 64}, "encryption_key_id": _OPTIONAL_ID}

#: A record of this service.
OWN = {
    "type": "object", "additionalProperties": False,
    "required": ["id", "volume_id", "size", "container", "data_timestamp", "volume_record", "facts", "version"],
    "properties": {
        **_COMMON, "version": {"const": RECORD_VERSION}, "name": _TEXT, "description": _TEXT, "object_count": _COUNT,
        "metadata": _PAIRS,
        "volume_record": {
            "type": "object", "additionalProperties": False, "properties": {
                "name": _TEXT, "description": _TEXT, "metadata": _PAIRS, "image_metadata": _PAIRS,
                "bootable": {"type": "boolean"}}},
        "facts": {
            "type": "object", "additionalProperties": False, "properties": {
                "service_metadata": {"type": "string", "maxLength": 255, "pattern": r"^[A-Za-z0-9_.:/-]*\Z"},
                "stored_bytes": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
                "format": {"enum": [cinder.CHUNKED, cinder.IMAGES]},
                "base": {"type": ["string", "null"], "maxLength": 255, "pattern": r"^[A-Za-z0-9_.-]*\Z"}}}}}

#: A record of Cinder; further keys are ignored.
CINDERS = {
    "type": "object", "required": ["id", "volume_id", "size", "container", "service", "service_metadata"],
    "properties": {
        **_COMMON, "container": {"anyOf": [_CONTAINER, {"type": "null"}]},
        "data_timestamp": {"type": ["string", "null"], "maxLength": 64},
        "display_name": _TEXT, "display_description": _TEXT, "metadata": _OPTIONAL_PAIRS,
        "object_count": {**_COUNT, "type": ["integer", "null"]}, "service": {"type": "string", "maxLength": 255},
        "service_metadata": {"type": ["string", "null"], "maxLength": 1024}}}

_OWN, _CINDERS = (jsonschema.Draft202012Validator(schema) for schema in (OWN, CINDERS))
_PREFIX = re.compile(r"(?!\.)[A-Za-z0-9_.:-]+(?:/(?!\.)[A-Za-z0-9_.:-]+)*")


def columns(url: str) -> dict:
    """The columns of a backup's row from the record `url`. Raises InvalidInput with the error in it.

    A record of Cinder has `service` too, and `service_metadata`, which `facts_of` converts with the parent's facts.
    """
    kept = _document(url)
    if "facts" in kept or "volume_record" in kept or "version" in kept:
        return _own(kept)
    if "service_metadata" in kept:
        return _cinders(kept)
    raise _invalid("it has neither facts (of this service) nor service_metadata (of Cinder)")


def facts_of(row: Mapping, service_metadata: str | None, parent: db.Row | None) -> dict:
    """The facts of a backup made by Cinder. Raises InvalidInput for malformed service_metadata."""
    of_parent = None
    if parent is not None:
        base = parent.facts.get("base")
        of_parent = {"service_metadata": json.dumps({"base": base}) if base else None}
    try:
        return cinder.facts({"service": row["service"], "service_metadata": service_metadata}, of_parent)
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid("its service_metadata does not have the form of that driver") from error


def _document(url):
    if len(url) > LONGEST:
        raise _invalid(f"it has more than {LONGEST} characters")
    try:
        kept = orjson.loads(base64.b64decode(url, validate=True))
    except ValueError as error:
        raise _invalid("it is not JSON in base64") from error
    if not isinstance(kept, dict):
        raise _invalid("it is not an object")
    return kept


def _own(kept):
    _check(_OWN, kept)
    prefix = kept["facts"].get("service_metadata", "")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise _invalid("facts.service_metadata cannot be a name in a store")
    return _common(kept) | {key: kept.get(key) for key in ("name", "description", "volume_record", "facts")}


def _cinders(kept):
    _check(_CINDERS, kept)
    refusal = cinder.refusal(kept["service"])
    if refusal is not None:
        raise errors.InvalidInput(reason=refusal)
    prefix = kept["service_metadata"] or ""
    if not prefix.startswith("{") and prefix and not _PREFIX.fullmatch(prefix):
        raise _invalid("service_metadata cannot be a name in a store")
    if not kept["container"]:
        raise _invalid("it has no container, so the backup was never completed")
    return _common(kept) | {"name": kept.get("display_name"), "description": kept.get("display_description"),
                            "volume_record": {}, "service": kept["service"],
                            "service_metadata": kept["service_metadata"]}


def _common(kept):
    """The columns that both records have."""
    if kept.get("parent_id") == kept["id"]:
        raise _invalid("the backup is its own parent")
    same = ("id", "volume_id", "snapshot_id", "parent_id", "size", "container", "encryption_key_id")
    return {**{key: kept.get(key) for key in same}, "object_count": kept.get("object_count") or 0,
            "metadata": kept.get("metadata") or {}, "data_timestamp": _time(kept.get("data_timestamp"))}


def _check(validator, kept):
    error = jsonschema.exceptions.best_match(validator.iter_errors(kept))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the record"
        raise _invalid(f"{where}: {error.message[:200]}")
    for text in _texts(kept):
        if "\0" in text:
            raise _invalid("it has a NUL character in a string, which cannot be stored")


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _time(text):
    if text is None:
        return db.now()
    try:
        found = db.parse_time(text)
    except (ValueError, OverflowError) as error:
        raise _invalid("data_timestamp is not an ISO 8601 time") from error
    if found.tzinfo is not None:
        found = found.astimezone(datetime.UTC).replace(tzinfo=None)
    if not 1970 <= found.year <= 9998:
        raise _invalid("data_timestamp is out of range")
    return found


def _invalid(what):
    return errors.InvalidInput(reason=f"backup_url is not a record that export_record made: {what}.")
