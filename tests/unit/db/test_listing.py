"""Pagination: each row once and in order, with null and equal sort keys."""

import types

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import metadata_index, schema, volumes
from tests.unit.db import walk


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    found = db.Database(types.SimpleNamespace(
        connection=f"sqlite:///{tmp_path_factory.mktemp('lists')}/db.sqlite", max_pool_size=2, max_overflow=2))
    schema.METADATA.create_all(found.engine)
    with found.write() as tx:
        rows = walk.fill(tx)
    yield found, rows
    found.dispose()


@pytest.mark.parametrize("all_projects", [False, True])
@pytest.mark.parametrize("pairs", walk.FILTERS, ids=str)
@pytest.mark.parametrize("sort", walk.SORTS, ids=str)
def test_pages_are_the_list(filled, sort, pairs, all_projects):
    database, rows = filled
    right = walk.expected(rows, sort, pairs, all_projects)
    with database.read() as tx:
        for limit in (2, 7):
            assert walk.walked(tx, sort, pairs, all_projects, limit) == right
        assert walk.walked(tx, sort, pairs, all_projects, 5, by_offset=True) == right


def test_metadata_is_counted_as_it_is_listed(filled):
    database, rows = filled
    with database.read() as tx:
        assert volumes.count(tx, [metadata_index.HasMetadata("volume", {"tier": "gold"}, "mine")],
                             schema.volumes.c.project_id == "mine") \
            == len(walk.expected(rows, (), {"tier": "gold"}, False))


def test_labels_follow_changes(filled):
    database, rows = filled
    id = rows[0]["id"]
    with database.write() as tx:
        before = tx.execute(sa.select(schema.metadata_index).where(schema.metadata_index.c.resource_id == id)).all()
        metadata_index.change(tx, "volume", id, rows[0]["metadata"], {"tier": "lead"})
        found, = tx.execute(sa.select(schema.metadata_index).where(schema.metadata_index.c.resource_id == id)).all()
        assert found._asdict() == metadata_index.row("volume", rows[0], "tier", "lead")
        metadata_index.change_project(tx, [id], "theirs")
        index = schema.metadata_index
        assert tx.execute(sa.select(index.c.project_id).where(index.c.resource_id == id)).scalar() == "theirs"
        metadata_index.remove(tx, id)
        tx.execute(sa.insert(schema.metadata_index), [row._asdict() for row in before])
