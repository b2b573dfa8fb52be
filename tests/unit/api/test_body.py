"""Request bodies: parsing, and the errors of each kind of schema."""

import pytest

from cinder_lite import errors
from cinder_lite.api import body, body_schema, route_table
from cinder_lite.api.schemas import volumes as volume_bodies

V = (3, 71)
ID = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


@pytest.mark.parametrize(("raw", "media", "document"), [
    (b"", "application/json", None), (b"{}", "application/json", {}), (b'{"a": 1}', "", {"a": 1}),
    (b'{"a": 1}', "application/json; charset=UTF-8", {"a": 1}),
    (b'{"a":[' + b"[]," * 60 + b"[]]}", "", {"a": [[]] * 61}),
    (b'{"a": 1}', "application/vnd.openstack.volume+json;version=3", {"a": 1}),
    ('{"a": "\u00fc\U0001f680"}'.encode(), "Application/JSON", {"a": "\u00fc\U0001f680"}),
])
def test_a_document_is_read(raw, media, document):
    assert body.read(raw, media) == document


@pytest.mark.parametrize("raw", [
    b"{", b"[]", b'"text"', b"1", b"null", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\\u0000"}',
    b"{'a': 1}",
    b"[" * 5000 + b"]" * 5000, b'{"a":' * 51 + b"1" + b"}" * 51, b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}",
])
def test_invalid_documents(raw):
    with pytest.raises(errors.BadRequest):
        body.read(raw, "application/json")


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_other_media_types(media):
    with pytest.raises(errors.BadMediaType):
        body.read(b"{}", media)


@pytest.mark.parametrize(("schema", "good", "bad"), [
    (body_schema.SIZE, [1, "1", 2**31 - 1],
     [0, -1, "0", "", "x", "1.5", 1.5, True, 2**31, "9" * 30, 1e300, None, [], {}]),
    (body_schema.UUID, [ID, ID.upper(), ID.replace("-", "")], ["", "x", ID + "0", ID[:-1] + "g", 1, None]),
    (body_schema.BOOL, [True, False, "true", "FALSE", "1", "0", "on", "Off", "y", "n", "YES", "no"],
     ["", "perhaps", 2, 1, 0, None, [], "tRuE", "Y"]),
    (body_schema.NAME, [None, "", "a", "\u00e9\u4e2d", "a" * 255, "two\nlines", "\u3000", "\U0001f600"],
     ["a" * 256, 1, [], True]),
    (body_schema.PADDED, [None, "", " " * 300 + "a" * 255, "\x07"], ["a" * 256, 1, [], True]),
    (body_schema.PADDED_NAME, [" a ", " " * 300 + "a" * 255], ["", " ", "\u3000", "a" * 256, None]),
    (body_schema.DESCRIPTION, [None, "", "\u00a0a\u3000", "a" * 255],
     ["a" * 256, "two\nlines", "\u200d", "\u2028", "\U0001f600", "\ue000"]),
    (body_schema.METADATA, [{}, {"a": "b"}, {"a" * 255: "b" * 255}, {"a b/c": ""}],
     [{"": "b"}, {"\u00e9": "b"}, {"a" * 255 + "\n": "b"}, {"a": None}, {"a": 1}, {"a" * 256: "b"}, {"a": "b" * 256},
      [], None, "x"]),
    (volume_bodies.RESET_STATUS["properties"]["os-reset_status"], [{"status": "Error"}, {"attach_status": "detached"}],
     [{}, {"status": "deleting"}, {"status": "x"}, {"colour": "red"}, {"migration_status": "maybe"}, []]),
])
def test_keywords_of_schemas(schema, good, bad):
    for value in good:
        body.check({"key": value}, {"type": "object", "properties": {"key": schema}}, V)
    for value in bad:
        with pytest.raises(errors.BadRequest):
            body.check({"key": value}, {"type": "object", "properties": {"key": schema}}, V)


SCHEMA = {"type": "object", "properties": {
    "always": {"type": "integer"}, "later": {"type": "integer", "since": "3.10"},
    "formerly": {"type": "integer", "until": "3.9"}}, "additionalProperties": "3.50", "required": {"always": "3.20"}}


@pytest.mark.parametrize(("version", "document", "kept"), [
    ((3, 9), {"later": "no number", "formerly": 1}, {"formerly": 1}),
    ((3, 10), {"later": 2, "formerly": "no number"}, {"later": 2}),
    ((3, 49), {"always": 1, "other": 2}, {"always": 1}),
])
def test_keys_outside_their_versions_are_dropped(version, document, kept):
    assert body.check(document, SCHEMA, version) == kept


@pytest.mark.parametrize(("version", "document"), [
    ((3, 9), {"formerly": "x"}), ((3, 10), {"later": "x"}), ((3, 20), {}), ((3, 50), {"always": 1, "other": 2}),
    ((3, 50), {"always": 1, "formerly": 1}),
])
def test_a_version_refuses(version, document):
    with pytest.raises(errors.BadRequest):
        body.check(document, SCHEMA, version)


def test_no_body_at_all():
    with pytest.raises(errors.PreconditionFailed):
        body.check(None, SCHEMA, V)


@pytest.mark.parametrize(("document", "said"), [
    ({"volume": {"size": 0}}, "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1"),
    ({"volume": {"size": "x"}}, "Invalid input for field/attribute size. Value: x. 'x' is not a whole number"),
    ({"volume": {"size": 1, "colour": "red"}}, "Additional properties are not allowed: colour (known keys: availab"),
    ({"volume": {"size": 1, "name": "a" * 300}}, "it has 300 characters, more than 255"),
    ({"volume": {"size": 1, "snapshot_id": "x"}}, "attribute snapshot_id. Value: x. 'x' is not a UUID"),
    ({"volume": {"size": 1, "multiattach": "x"}}, "'x' is not one of True, False"),
    ({"volume": 7}, "'7' is not of type object"),
])
def test_a_refusal_contains_the_valid_values(document, said):
    with pytest.raises(errors.BadRequest) as refused:
        body.check(document, volume_bodies.CREATE, V)
    assert said in str(refused.value)


@pytest.mark.parametrize(("document", "said"), [
    (None, "The body is missing"), ({}, "exactly one key"), ({"a": 1, "b": 2}, "exactly one key"),
    ({"c": 1}, "There is no such action: c. The actions are: a, b."),
])
def test_an_action_body_has_one_known_key(document, said):
    with pytest.raises(errors.BadRequest) as refused:
        route_table.action_of(document, {"a": None, "b": None})
    assert said in str(refused.value)


def test_an_action_is_found():
    assert route_table.action_of({"b": None}, {"a": None, "b": None}) == "b"
