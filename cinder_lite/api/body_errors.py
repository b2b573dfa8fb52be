"""Explains why a body does not fit its schema, in a sentence for the client."""

from collections.abc import Callable

import jsonschema

from cinder_lite.api.body_formats import PHRASES


def sentence(error: jsonschema.ValidationError) -> str:
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
    return f"'{value}' {PHRASES[name]}"


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
