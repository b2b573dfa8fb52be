"""Bodies with one edge-case value at a time in every property that either API has."""

import copy
import json

from cinder_lite.api import body_schema

ID = "12345678-1234-4234-8234-123456789abc"

#: name -> value that is put in the place of each property.
VALUES = {
    "null": None, "true": True, "false": False, "0": 0, "1": 1, "-1": -1, "2**31 - 1": 2**31 - 1, "2**31": 2**31,
    "2**63": 2**63,
    "1.0": 1.0, "1.5": 1.5,
    # texts
    "no letters": "", "a blank": " ", "a letter": "a", "256": "x" * 256, "256 with blanks": f"{'x' * 250:^270}",
    "70,000": "x" * 70_000, "URL": f"http://images/v2/images/{ID}", "base64": "e30=", "host": "host@backend#pool",
    "host in brackets": "h@b#[::1]:/x", "path": "/dev/vdb", "zone": "nova", "dots": "../x", "percent": "50%",
    "101 percent": "101%",
    "-1 percent": "-1%", "semicolon": "a;b", "quote": "a'b",
    # numbers and booleans as texts
    "digits": "1", "no digits": "0", "leading zero": "01", "blank digits": " 1", "negative digits": "-1",
    "point": "1.5",
    "large digits": str(2**31), "other digits": "\u0663", "word: true": "true", "word: yes": "yes", "word: Y": "Y",
    "word: T": "T",
    "word: null": "null",
    # ids
    "id": ID, "ID": ID.upper(), "id without hyphens": ID.replace("-", ""),
    "id with hyphens elsewhere": "1234567812344234-8234123456789abc",
    # letters
    "line": "a\nb", "tab": "a\tb", "delete": "a\x7fb", "escape": "a\x1bb", "no-break space": "a\u00a0b",
    "wide space": "a\u3000b",
    "line separator": "a\u2028b", "joiner": "a\u200db", "right to left": "a\u202eb", "emoji": "\U0001f600",
    "private": "\ue000",
    "unassigned": "\u0378", "accents": "e\u0301", "only a no-break space": "\u00a0", "only a wide space": "\u3000",
    # lists
    "[]": [], "[1]": [1], "['']": [""], "['a']": ["a"], "['a', 'a']": ["a", "a"], "[id]": [ID], "[256]": ["x" * 256],
    # objects
    "{}": {}, "{a: b}": {"a": "b"}, "{a: null}": {"a": None}, "{a: 1}": {"a": 1}, "{a: {}}": {"a": {}},
    "{a: ''}": {"a": ""},
    "{a: 256}": {"a": "x" * 256}, "{a: 70,000}": {"a": "x" * 70_000}, "{'': b}": {"": "b"}, "{' ': b}": {" ": "b"},
    "{255: b}": {"x" * 255: "b"}, "{256: b}": {"x" * 256: "b"}, "{blank: b}": {"a b": "b"}, "{slash: b}": {"a/b": "b"},
    "{colon: b}": {"a:b": "b"}, "{dollar: b}": {"a$b": "b"}, "{accent: b}": {"\u00e9": "b"},
    "{a: emoji}": {"a": "\U0001f600"},
    "{a: line}": {"a": "a\nb"}, "{a: b, c: d}": {"a": "b", "c": "d"}, "{host: 256}": {"host": "x" * 256},
}


def _words(schema):
    """Values that the schema names."""
    if not isinstance(schema, dict):
        return
    for one in schema.get("enum", ()):
        if isinstance(one, str):
            yield f"word: {one}", one
            yield f"word: {one.upper()}", one.upper()
        elif one is not None:
            yield f"word: {one}", one
    for part in schema.get("oneOf", ()):
        yield from _words(part)


def _parts(schema, name):
    """The schema of a property."""
    return (schema or {}).get("properties", {}).get(name) or {}


def probes(base, *schemas, seen):
    """{(place, value's name): body} for a body that both take and the schemas of both.

    Places that were `seen` with just these schemas, at another version, are left out.
    """
    found = {}
    _walk(base, schemas, (), found, base, seen)
    return found


_MISSING = object()


def _put(base, path, value):
    new = copy.deepcopy(base)
    at = new
    for key in path[:-1]:
        at = at[key]
    if value is _MISSING:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = value
    return new


def _new(place, schemas, seen):
    seen_now = place, json.dumps(schemas, sort_keys=True)
    if seen_now in seen:
        return False
    seen.add(seen_now)
    return True


def _walk(here, schemas, path, found, base, seen):
    names = dict.fromkeys(name for schema in schemas for name, part in (schema or {}).get("properties", {}).items()
                          if isinstance(part, dict))
    if isinstance(here, dict):
        names |= dict.fromkeys(here)
        if _new(path, [sorted((schema or {}).get("properties", {})) for schema in schemas], seen):
            found[_text(path), "an unknown key"] = _put(base, (*path, "unknown"), "a")
    for name in names:
        place = (*path, name)
        parts = [_parts(schema, name) for schema in schemas]
        values = {**VALUES, **dict(pair for part in parts for pair in _words(part))}
        for word, value in values.items() if _new(place, parts, seen) else ():
            found[f"{_text(place)} missing", ""] = _put(base, place, _MISSING)
            found[_text(place), word] = _put(base, place, value)
        inner = here.get(name) if isinstance(here, dict) else None
        if isinstance(inner, dict):
            _walk(inner, parts, place, found, base, seen)


def _text(path):
    return ".".join(path) or "body"


def plain(schema, version):
    """Our schema as that version has it."""
    return body_schema.at(schema, version)
