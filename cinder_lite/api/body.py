"""Parses bodies of requests as JSON and validates them against the schema of the request's version.

A schema is JSON Schema with two more keywords on a property: `since` and `until`, the first and last microversion that
have it. Where `additionalProperties` is a version, unknown keys are refused from that version on.
"""

import base64
import functools
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import jsonschema
import orjson
from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.db import quotas

TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")

#: JSON Schema, with `since` and `until`.
Schema = dict[str, Any]

# -- parts of schemas

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
#: The largest number that an integer column can store.
MAX_INTEGER = 2**31 - 1
#: The number of bytes of a text that every database can store.
MAX_TEXT_BYTES = 65535
#: The number of nested objects and arrays that a body may have.
MAX_DEPTH = 50
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
#: The length as JSON of an object that is stored without a schema.
MAX_OBJECT_CHARACTERS = 16384
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


# -- reading

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


def action_of(document: Mapping[str, Any] | None, actions: Collection[str]) -> str:
    """The one key of an action's body. Raises BadRequest, which names the key and the known actions."""
    if document is None:
        raise errors.BadRequest("The body is missing: an object with one key is needed that names the action.")
    if len(document) != 1:
        raise errors.BadRequest("The body must have exactly one key, which names the action.")
    name = next(iter(document))
    if name not in actions:
        raise errors.BadRequest(f"There is no such action: {name[:100]}. "
                                f"The actions are: {', '.join(sorted(actions))}.")
    return name


# -- checking

_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("uuid")
def _is_uuid(value):
    if not isinstance(value, str):
        return True
    plain = value.replace("-", "")
    return len(plain) == 32 and all(letter in "0123456789abcdefABCDEF" for letter in plain)


@_FORMATS.checks("size")
def _is_size(value):
    if value is None or isinstance(value, bool):
        return value is None  # the schema's type decides whether null is allowed
    return 0 < (_whole(value) or 0) <= MAX_INTEGER


def _whole(value: Any) -> int | None:
    """The value of an integer or of its digits; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 18 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@_FORMATS.checks("natural")
def _is_natural(value):
    # As in Cinder, leading zeros are not accepted.
    number = _whole(value)
    return value is None or (number is not None and 0 <= number <= MAX_INTEGER and str(number) == str(value))


@_FORMATS.checks("printable")
def _is_printable(value):
    """Whether it has printable characters of the first plane of Unicode only, as Cinder requires of a description."""
    return not isinstance(value, str) or all(map(_can_be_printed, value))


@functools.lru_cache(maxsize=4096)
def _can_be_printed(letter):
    kind = unicodedata.category(letter)
    return ord(letter) < 0xFFFF and kind[0] != "C" and kind not in ("Zl", "Zp")


@_FORMATS.checks("padded")
def _is_padded(value):
    return not isinstance(value, str) or len(value.strip()) <= 255


@_FORMATS.checks("padded_name")
def _is_padded_name(value):
    return not isinstance(value, str) or 0 < len(value.strip()) <= 255


@_FORMATS.checks("name")
def _is_name(value):
    return not isinstance(value, str) or bool(value.strip())


@_FORMATS.checks("text")
def _is_short_enough(value):
    return not isinstance(value, str) or len(value.encode()) <= MAX_TEXT_BYTES


@_FORMATS.checks("small")
def _is_small(value):
    return not isinstance(value, dict | str) or len(orjson.dumps(value)) <= MAX_OBJECT_CHARACTERS


@_FORMATS.checks("base64")
def _is_base64(value):
    try:
        return not isinstance(value, str) or base64.b64decode(value) is not None
    except ValueError:
        return False


@_FORMATS.checks("limit")
def _is_limit(value):
    try:
        return not isinstance(value, bool | float | None) and -1 <= int(value) <= MAX_INTEGER
    except (TypeError, ValueError, OverflowError):
        return False


#: format -> the end of the sentence for a value that does not have it.
_FORMAT_ERRORS = {
    "limit": "is not a whole number from -1 (unlimited) to 2147483647", "base64": "is not in Base64",
    "uuid": "is not a UUID", "size": "is not a whole number of GiB above 0",
    "natural": "is not a whole number of 0 or more",
    "printable": "has characters that cannot be printed", "name": "is empty",
    "padded_name": "is empty", "small": f"has more than {MAX_OBJECT_CHARACTERS} characters",
    "text": "has more than 65535 bytes"}


def check(document: Mapping[str, Any] | None, schema: Schema, version: versions.Version) -> dict[str, Any]:
    """The document without the keys that the version ignores. Raises BadRequest when the schema does not accept it."""
    if document is None:
        raise errors.PreconditionFailed("The request has no body; a JSON object is needed.")
    validator = _validator_at(_ByIdentity(schema), version)
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        raise errors.BadRequest(_sentence(error))
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


class _ByIdentity:
    """A schema hashed by its identity, so that it can be a key of the cache; schemas are module constants."""

    def __init__(self, schema):
        self.schema = schema

    def __hash__(self):
        return id(self.schema)

    def __eq__(self, other):
        return self.schema is other.schema


@functools.lru_cache(maxsize=4096)
def _validator_at(keyed, version):
    return _Validator(at(keyed.schema, version), format_checker=_FORMATS)


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


def _sentence(error: jsonschema.ValidationError) -> str:
    """The message of a fault. Clients look for the last name of the path, and for the phrase about the minimum."""
    path = str(error.absolute_path[-1]) if error.absolute_path else "the body"
    value = str(error.instance)[:100]
    reason = _REASONS.get(error.validator, _other_reason)(error, value)
    return f"Invalid input for field/attribute {path}. Value: {value}. {reason}."


def _format_reason(error: jsonschema.ValidationError, value: str) -> str:
    name = error.validator_value
    if name == "size" and isinstance(error.instance, int) and error.instance < 1:
        return f"{value} is less than the minimum of 1"
    if name in ("padded", "padded_name") and error.instance.strip():
        return f"it has {len(error.instance.strip())} characters, more than 255"
    return f"'{value}' {_FORMAT_ERRORS[name]}"


def _unknown_keys_reason(error: jsonschema.ValidationError, _value: str) -> str:
    unknown = sorted(set(error.instance) - set(error.schema.get("properties", ())))
    known = ", ".join(sorted(error.schema.get("properties", ()))) or "none"
    return f"Additional properties are not allowed: {', '.join(unknown)[:200]} (known keys: {known})"


def _enum_reason(error: jsonschema.ValidationError, value: str) -> str:
    return f"'{value}' is not one of {', '.join(dict.fromkeys(str(one) for one in error.validator_value))}"


def _length_reason(error: jsonschema.ValidationError, _value: str) -> str:
    return f"it has {len(error.instance)} characters, more than {error.validator_value}"


def _pattern_reason(error: jsonschema.ValidationError, value: str) -> str:
    if error.validator_value.startswith("(?i)^("):
        return f"'{value}' is not one of {', '.join(error.validator_value[6:-2].split('|'))}"
    return _other_reason(error, value)


def _type_reason(error: jsonschema.ValidationError, value: str) -> str:
    wanted = error.validator_value
    return f"'{value}' is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"


def _other_reason(error: jsonschema.ValidationError, _value: str) -> str:
    return error.message[:300]


#: keyword of JSON Schema -> function(error, value) that explains the error.
_REASONS: dict[str, Callable[[jsonschema.ValidationError, str], str]] = {
    "format": _format_reason, "additionalProperties": _unknown_keys_reason, "enum": _enum_reason,
    "maxLength": _length_reason, "pattern": _pattern_reason, "type": _type_reason}


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
                quotas.check_items(conf, {name: one for name, one in value.items() if name not in ignored})
            else:
                check_item_counts(conf, value)
