"""Generates the smallest valid body of a schema."""

import uuid

import jsonschema

from cinder_lite.api import body_schema, versions

LATEST = versions.number("3.71")
#: Where a pattern decides, words of which one fits.
WORDS = ("error", "available", "detached", "success", "raw", "1", "a")


def smallest(schema, version=LATEST):
    """A value that is valid by the schema, with as little in it as can be."""
    return _value(body_schema.at(schema, version))


def _value(schema):
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"object": _object, "string": _text, "integer": lambda _: 1, "boolean": lambda _: True,
            "array": lambda inner: [_value(inner["items"])] * inner.get("minItems", 0)}[kind](schema)


def _object(schema):
    properties = schema.get("properties", {})
    least = schema.get("minProperties", 0)
    names = dict.fromkeys((*schema.get("required", ()), *list(properties)[:least]))
    found = {name: _value(properties[name]) for name in names}
    if len(found) < least:
        found["a"] = "a"
    return found


def _text(schema):
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    for word in WORDS:
        if jsonschema.Draft202012Validator(schema).is_valid(word):
            return word
    return "a" * schema.get("minLength", 1)
