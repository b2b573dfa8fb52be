"""List filters: which keys apply to which requesters and versions, and which rows they select."""

import datetime
import itertools
import types
import urllib.parse
import uuid

import pytest

from cinder_lite import db, errors
from cinder_lite.api import filters
from cinder_lite.db import listing, metadata_index, schema, volumes
from tests.unit.api.requests import asked

BORN = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
ROWS = {
    "one": {"size": 1, "status": "available", "bootable": False, "metadata": {"tier": "gold", "site": "a"}},
    "two": {"size": 2, "status": "in-use", "bootable": True, "metadata": {"tier": "gold"}},
    "100%": {"size": 3, "status": "error", "bootable": False, "metadata": {}, "image_metadata": {"os": "beos"}},
}


def made(path, rows):
    """A database with these volumes, {name: columns}."""
    options = types.SimpleNamespace(connection=f"sqlite:///{path}/db.sqlite", max_pool_size=2, max_overflow=2)
    database = db.Database(options)
    schema.METADATA.create_all(database.engine)
    with database.write() as tx:
        for n, (name, values) in enumerate(rows.items()):
            row = {"id": str(uuid.UUID(int=n)), "project_id": "a1", "user_id": "u", "name": name, "facts": {},
                   "export": {}, "admin_metadata": {}, "image_metadata": {},
                   "created_at": BORN + datetime.timedelta(days=n), **values}
            tx.execute(schema.volumes.insert().values(**row))
            metadata_index.change(tx, "volume", row["id"], {}, row["metadata"])
    return database


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = made(tmp_path_factory.mktemp("filters"), ROWS)
    yield database
    database.dispose()


def found(database, query, **who):
    where = filters.clauses(asked(query, **who), "volume")
    with database.read() as tx:
        rows = volumes.page(tx, where, listing.Paging(sort=(("created_at", "asc"),)),
                            schema.volumes.c.id.is_not(None), volumes.SUMMARY)
    return [row.name for row in rows]


EVERY = list(ROWS)


@pytest.mark.parametrize(("query", "names"), [
    ("", EVERY), ("name=one", ["one"]), ("name='one'", []), ("name=['one', 'two']", []),
    ("name=[", []), ("size=2", ["two"]), ("size=02", ["two"]), ("size=x", []), ("size=[1,3]", ["one", "100%"]),
    ("size=99999999999999999999", []), ("status=in-use", ["two"]), ("status=gone", []),
    ("bootable=true", ["two"]), ("bootable=0", ["one", "100%"]),
    ("metadata={'tier':'gold'}", ["one", "two"]), ("metadata={'tier':'gold','site':'a'}", ["one"]),
    ('metadata={"tier":"tin"}', []), ("metadata={}", EVERY), ("metadata={1:2}", []),
    ("glance_metadata={'os':'beos'}", ["100%"]), ("name~=o", ["one", "two"]), ("name~=%25", ["100%"]), ("name~=_", []),
    ("created_at=gt:2026-01-02T03:04:05.678901", ["two", "100%"]),
    ("created_at=gte:2026-01-03,lt:2026-01-04", ["two"]),
    ("created_at=eq:2026-01-02T05:04:05.678901%2B02:00", ["one"]), ("created_at=neq:2026-01-02T03:04:05.678901Z",
                                                                    ["two", "100%"]),
    ("colour=red", []), ("colour~=red", []), ("facts={}", []), ("display_name=one", ["one"]), ("project_id=a1", EVERY),
])
def test_filters_of_administrators(database, query, names):
    assert found(database, query) == names


@pytest.mark.parametrize(("query", "version", "names"), [
    ("glance_metadata={'os':'x'}", "3.3", EVERY), ("group_id=x", "3.9", EVERY), ("group_id=x", "3.10", []),
    ("created_at=gt:2027-01-01", "3.30", EVERY), ("created_at=gt:2027-01-01", "3.31", []),
    ("created_at=2027-01-01", "3.30", EVERY), ("consumes_quota=no", "3.30", EVERY), ("consumes_quota=no", "3.31", []),
    ("bootable=anything", "3.1", ["two"]), ("bootable=False", "3.1", ["one", "100%"]), ("name~=o", "3.33", []),
])
def test_filters_begin_at_versions(database, query, version, names):
    assert found(database, query, version=version) == names


@pytest.mark.parametrize("query", [
    "bootable=perhaps", "created_at=x", "created_at=gt:x", "created_at=2026-01-02T03:04:05.678901", "created_at=",
    "created_at=gt:0001-01-01T00:00:00%2B23:59", "na%C3%AFve=x"])
def test_invalid_values(query):
    with pytest.raises(errors.InvalidInput):
        filters.clauses(asked(query), "volume")


@pytest.mark.parametrize(("query", "version", "names"), [
    ("name=one", "3.31", ["one"]), ("host=x", "3.30", EVERY), ("colour=x&name=one", "3.0", ["one"]),
    ("name~=o", "3.30", EVERY), ("name~=o", "3.34", ["one", "two"]), ("glance_metadata={'os':'beos'}", "3.4", ["100%"]),
])
def test_filters_of_members(database, query, version, names):
    assert found(database, query, version=version, admin=False) == names


@pytest.mark.parametrize(("query", "version"), [
    ("with_count=1", "3.44"), ("host=x", "3.31"), ("colour=x", "3.71"), ("name~=o", "3.31"), ("host~=o", "3.34"),
    ("display_name=x", "3.31")])
def test_filters_that_members_may_not_use_from_3_31(query, version):
    with pytest.raises(errors.InvalidInput) as refused:
        filters.clauses(asked(query, version, admin=False), "volume")
    assert query.split("=")[0] in str(refused.value)


def test_every_unknown_filter_is_named():
    with pytest.raises(errors.InvalidInput) as refused:
        filters.clauses(asked("b=1&a=2&name=x", admin=False), "volume")
    assert "Invalid filters a, b are found" in str(refused.value)


def test_the_status_filter_of_attachments_uses_the_shown_status():
    clause, = filters.clauses(asked("status=attached"), "attachment")
    assert clause.compare(schema.attachments.c.attach_status.in_(["attached"]))


#: Names that mean something to a shell, to SQL or to Python, and hosts of which one begins like another.
ODD = {name: {"size": 1, "status": "available", "metadata": {}, "host": host} for name, host in zip(
    ("it's", '"quoted"', "'quoted'", "[a]", "['a']", "back\\slash", "50%", "a_b", "None", "1", "{}", "(1, 2)",
     "\u3000"),
    itertools.cycle(("h@b#p", "h@b#q", "h@c#p", "h", "hh@b#p", "h_@b#p")), strict=False)}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    database = made(tmp_path_factory.mktemp("odd"), ODD)
    yield database
    database.dispose()


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("key", ["name", "name~", "display_name"])
def test_names_are_found_as_they_are_written(odd, name, key):
    wanted = [one for one in ODD if (name in one if key == "name~" else name == one)]
    assert found(odd, f"{key}={urllib.parse.quote(name)}") == wanted


@pytest.mark.parametrize("host", ["h", "h@b", "h@b#p", "hh", "h_", "h@", "%", "h#p", "h@b#"])
def test_hosts_backends_and_pools(odd, host):
    def has(place):
        return place == host or ("#" not in host and place.startswith(f"{host}#")) or (
            "#" not in host and "@" not in host and place.startswith(f"{host}@"))

    assert found(odd, f"host={urllib.parse.quote(host)}") == [name for name, values in ODD.items()
                                                              if has(values["host"])]
