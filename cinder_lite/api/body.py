"""Bodies of requests: read as JSON, checked against the schema of the request's version.

A schema is JSON Schema with two more words on a property: `since` and `until`, the microversions that know it. Where
`additionalProperties` is a version, unknown keys are refused from that version on.
"""

import base64
import functools
import unicodedata
from typing import Any

import jsonschema
import orjson

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.db import quotas

TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")

#: JSON Schema, with `since` and `until`.
Schema = dict[str, Any]

# -- words that schemas are made of

NAME = {"type": ["string", "null"], "maxLength": 255}
#: A name or description that may have any number of blanks around it.
PADDED = {"type": ["string", "null"], "format": "padded"}
DESCRIPTION = {"type": ["string", "null"], "format": "printable", "maxLength": 255}
#: A name that there must be.
LABEL: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
PADDED_LABEL = {"type": "string", "format": "padded_name"}
UUID = {"type": "string", "format": "uuid"}
OPTIONAL_UUID = {"type": ["string", "null"], "format": "uuid"}
BOOL: Schema = {"type": ["boolean", "string"], "enum": [True, False, *TRUE, *FALSE]}
SIZE = {"type": ["integer", "string"], "format": "size"}
OPTIONAL_BOOL = {**BOOL, "type": [*BOOL["type"], "null"], "enum": [*BOOL["enum"], None]}
#: The largest number that a column of whole numbers holds.
MOST = 2**31 - 1
#: How many bytes a text has at most, whatever the database.
LONGEST = 65535
#: How many levels of objects and lists a body may have.
DEEPEST = 50
#: What an action without arguments may carry.
EMPTY: Schema = {}


def pairs(keys, values=None):
    """An object of free keys, which are made of `keys` (a class of characters), and texts or what is told of `values`."""
    return {"type": "object", "additionalProperties": False, "propertyNames": {"maxLength": 255}, "patternProperties": {
        f"^[{keys}]{{1,255}}$": values or {"type": "string", "maxLength": 255}}}


#: The characters of keys.
WORD_KEYS, SPACED_KEYS, PATH_KEYS = "a-zA-Z0-9-_:.", "a-zA-Z0-9-_:. ", "a-zA-Z0-9-_:. /"
METADATA = pairs(PATH_KEYS)
OPTIONAL_METADATA = {**METADATA, "type": ["object", "null"]}
NULLABLE_TEXT = {"type": ["string", "null"], "maxLength": 255}
#: Characters that an object of any form may have as JSON: of what is stored without being looked into.
LARGEST_OBJECT = 16384
SMALL = {"format": "small"}


def closed(properties, required=(), **more):
    """An object that has no other keys than these."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
            **more}


def wrapped(key, schema):
    """{key: schema}, the form of most bodies."""
    return closed({key: schema}, [key])


def word(words, null=False):
    """One of the words in any case, or null if that may be."""
    return {"type": ["string", "null"] if null else "string", "pattern": f"(?i)^({'|'.join(words)})$"}


def is_true(value):
    """A boolean of a body in any of its spellings."""
    return value is True or str(value) in TRUE


def names(body, given_only=False):
    """name and description of a body under either of their keys, without outer blanks."""
    found = {}
    for key, older in (("name", "display_name"), ("description", "display_description")):
        if not given_only or key in body or older in body:
            value = body[key] if key in body else body.get(older)
            found[key] = value.strip() if isinstance(value, str) else value
    return found


# -- reading

def read(raw, content_type):
    """The document of a request with a body; None for an empty one."""
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
    if raw.count(b"{") + raw.count(b"[") > DEEPEST:
        _check_depth(document)
    if b"\\u0000" in raw:
        raise errors.BadRequest("The body has a NUL character in a text, which cannot be stored.")
    return document


def _check_depth(document):
    """Refuse what is nested more deeply than anything that clients mean: what can be read could not be written again."""
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)
                 if isinstance(inner, dict | list)]
    if level:
        raise errors.BadRequest(f"The body is nested too deeply; {DEEPEST} levels can be taken.")


def action_of(document, actions):
    """The one key of an action's body. Raises BadRequest naming what was sent and what there is."""
    if document is None:
        raise errors.BadRequest("The body is missing: an object with one key is needed that names the action.")
    if len(document) != 1:
        raise errors.BadRequest("The body must have exactly one key, which names the action.")
    name = next(iter(document))
    if name not in actions:
        raise errors.BadRequest(f"There is no such action: {name[:100]}. There are: {', '.join(sorted(actions))}.")
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
        return value is None  # whether it may be missing is said by the type
    return 0 < (_whole(value) or 0) <= MOST


def _whole(value):
    """The number that a whole number or its digits are; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 18 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@_FORMATS.checks("natural")
def _is_natural(value):
    # As Cinder reads numbers: without leading zeros.
    return value is None or (_whole(value) is not None and 0 <= _whole(value) <= MOST and str(_whole(value)) == str(value))


@_FORMATS.checks("printable")
def _is_printable(value):
    """Letters, signs and blanks of the first plane of Unicode: what Cinder takes in a description."""
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
    return not isinstance(value, str) or len(value.encode()) <= LONGEST


@_FORMATS.checks("small")
def _is_small(value):
    return not isinstance(value, dict | str) or len(orjson.dumps(value)) <= LARGEST_OBJECT


@_FORMATS.checks("base64")
def _is_base64(value):
    try:
        return not isinstance(value, str) or base64.b64decode(value) is not None
    except ValueError:
        return False


@_FORMATS.checks("limit")
def _is_limit(value):
    try:
        return not isinstance(value, bool | float | None) and -1 <= int(value) <= MOST
    except (TypeError, ValueError, OverflowError):
        return False


_TOLD = {
    "limit": "is not a whole number from -1 (unlimited) to 2147483647", "base64": "is not in Base64",
    "uuid": "is not a UUID", "size": "is not a whole number of GiB above 0", "natural": "is not a whole number of 0 or more",
    "printable": "has characters that cannot be printed", "name": "is empty",
    "padded_name": "is empty", "small": f"has more than {LARGEST_OBJECT} characters",
    "text": "has more than 65535 bytes"}


def check(document, schema, version):
    """The document without the keys that the version ignores. Raises BadRequest when it is not as the schema asks."""
    if document is None:
        raise errors.PreconditionFailed("The request has no body; a JSON object is needed.")
    validator = _validator_at(_Keyed(schema), version)
    error = jsonschema.exceptions.best_match(validator.iter_errors(document))
    if error is not None:
        raise errors.BadRequest(_sentence(error))
    return _known_part(document, validator.schema)


def _known_part(document, schema):
    properties = schema.get("properties")
    if not isinstance(document, dict) or not properties:
        return document
    ignoring = schema.get("additionalProperties") is True
    return {key: _known_part(value, properties.get(key, {})) for key, value in document.items()
            if key in properties or not ignoring}


#: 1.0 is no whole number.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, type_checker=jsonschema.Draft4Validator.TYPE_CHECKER)


class _Keyed:
    """A schema by its identity, so that it can be a key of the cache; schemas are module constants."""

    def __init__(self, schema):
        self.schema = schema

    def __hash__(self):
        return id(self.schema)

    def __eq__(self, other):
        return self.schema is other.schema


@functools.lru_cache(maxsize=4096)
def _validator_at(keyed, version):
    return _Validator(at(keyed.schema, version), format_checker=_FORMATS)


def at(schema, version):
    """The plain JSON Schema of that version."""
    if isinstance(schema, list):
        return [at(part, version) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {}
    for key, value in schema.items():
        if key == "properties":
            plain[key] = {name: at(part, version) for name, part in value.items() if _known(part, version)}
        elif key == "additionalProperties" and isinstance(value, str):
            plain[key] = version < versions.number(value)
        elif key == "required" and isinstance(value, dict):
            plain[key] = [name for name, since in value.items() if version >= versions.number(since)]
        elif key not in ("since", "until"):
            plain[key] = at(value, version)
    return plain


def _known(part, version):
    return not isinstance(part, dict) or (
        versions.number(part.get("since", "3.0")) <= version
        and ("until" not in part or version <= versions.number(part["until"])))


def _sentence(error):
    # Clients look for the last name alone, and for the words about the minimum.
    path = str(error.absolute_path[-1]) if error.absolute_path else "the body"
    value = str(error.instance)[:100]
    if error.validator_value == "size" and isinstance(error.instance, int) and error.instance < 1:
        reason = f"{value} is less than the minimum of 1"
    elif error.validator_value in ("padded", "padded_name") and error.instance.strip():
        reason = f"it has {len(error.instance.strip())} characters, more than 255"
    elif error.validator == "format":
        reason = f"'{value}' {_TOLD[error.validator_value]}"
    elif error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", ())))
        known = ", ".join(sorted(error.schema.get("properties", ()))) or "none"
        reason = f"Additional properties are not allowed: {', '.join(unknown)[:200]} (known keys: {known})"
    elif error.validator == "enum":
        reason = f"'{value}' is not one of {', '.join(dict.fromkeys(str(one) for one in error.validator_value))}"
    elif error.validator == "maxLength":
        reason = f"it has {len(error.instance)} characters, more than {error.validator_value}"
    elif error.validator == "pattern" and error.validator_value.startswith("(?i)^("):
        reason = f"'{value}' is not one of {', '.join(error.validator_value[6:-2].split('|'))}"
    elif error.validator == "type":
        wanted = error.validator_value
        reason = f"'{value}' is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    else:
        reason = error.message[:300]
    return f"Invalid input for field/attribute {path}. Value: {value}. {reason}."


#: Keys of bodies under which a mapping stands that is kept with a resource.
STORED = ("metadata", "extra_specs", "group_specs", "qos_specs")
#: What stands among the specs of a QoS spec and is none.
BESIDE = ("name", "consumer")


def check_amounts(conf, document):
    """Raise InvalidInput for a body with more items than a resource may have; what is added to one is counted there."""
    for key, value in document.items():
        if isinstance(value, dict):
            if key in STORED:
                beside = BESIDE if key == "qos_specs" else ()
                quotas.check_items(conf, {name: one for name, one in value.items() if name not in beside})
            else:
                check_amounts(conf, value)
