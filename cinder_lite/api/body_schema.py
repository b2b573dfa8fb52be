"""Parts of the schemas of request bodies, and the plain JSON Schema of one microversion.

A schema is JSON Schema with two more keywords on a property: `since` and `until`, the first and last microversion that
have it. Where `additionalProperties` is a version, unknown keys are refused from that version on.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cinder_lite.api import versions

#: Spellings of booleans.
TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")

#: JSON Schema, with `since` and `until`.
Schema = dict[str, Any]
NAME: Schema = {"type": ["string", "null"], "maxLength": 255}
#: A name or description that may have any number of blanks around it.
PADDED: Schema = {"type": ["string", "null"], "format": "padded"}
DESCRIPTION: Schema = {"type": ["string", "null"], "format": "printable", "maxLength": 255}
#: A name that may not be empty.
REQUIRED_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
PADDED_NAME: Schema = {"type": "string", "format": "padded_name"}
UUID: Schema = {"type": "string", "format": "uuid"}
OPTIONAL_UUID: Schema = {"type": ["string", "null"], "format": "uuid"}
BOOL: Schema = {"type": ["boolean", "string"], "enum": [True, False, *TRUE, *FALSE]}
SIZE: Schema = {"type": ["integer", "string"], "format": "size"}
OPTIONAL_BOOL: Schema = {**BOOL, "type": [*BOOL["type"], "null"], "enum": [*BOOL["enum"], None]}
#: The inner part of an action without arguments, of which everything is ignored.
EMPTY: Schema = {}


def pairs(keys: str, values: Schema | None = None) -> Schema:
    """An object of free keys of the characters in `keys`; `values` is the schema of values, by default short texts."""
    return {"type": "object", "additionalProperties": False, "propertyNames": {"maxLength": 255}, "patternProperties": {
        f"^[{keys}]{{1,255}}$": values or {"type": "string", "maxLength": 255}}}


#: The characters of keys.
PLAIN_KEYS, SPACED_KEYS, PATH_KEYS = "a-zA-Z0-9-_:.", "a-zA-Z0-9-_:. ", "a-zA-Z0-9-_:. /"
METADATA = pairs(PATH_KEYS)
OPTIONAL_METADATA: Schema = {**METADATA, "type": ["object", "null"]}
NULLABLE_TEXT: Schema = {"type": ["string", "null"], "maxLength": 255}
SMALL: Schema = {"format": "small"}


def closed(properties: Mapping[str, Any], required: Iterable[str] = (), **more: Any) -> Schema:
    """An object that has no other keys than these."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
            **more}


def wrapped(key: str, schema: Schema) -> Schema:
    """{key: schema}, the form of most bodies."""
    return closed({key: schema}, [key])


def one_of(values: Iterable[str], null: bool = False) -> Schema:
    """One of the values in any case, or null if that is allowed."""
    return {"type": ["string", "null"] if null else "string", "pattern": f"(?i)^({'|'.join(values)})$"}


def at(schema: Any, version: versions.Version) -> Any:
    """The plain JSON Schema of that version."""
    if isinstance(schema, list):
        return [at(part, version) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            plain[key] = {name: at(part, version) for name, part in value.items() if _has(version, part)}
        elif key == "additionalProperties" and isinstance(value, str):
            plain[key] = version < versions.number(value)
        elif key == "required" and isinstance(value, dict):
            plain[key] = [name for name, since in value.items() if version >= versions.number(since)]
        elif key not in ("since", "until"):
            plain[key] = at(value, version)
    return plain


def _has(version: versions.Version, part: Any) -> bool:
    """Whether the version has a property with that schema."""
    return not isinstance(part, dict) or (
        versions.number(part.get("since", "3.0")) <= version
        and ("until" not in part or version <= versions.number(part["until"])))
