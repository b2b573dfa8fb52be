"""JSON documents of any form are read as they were written."""

import types

import pytest
import sqlalchemy as sa

from cinder_lite import db

TABLE = sa.Table("documents", sa.MetaData(), sa.Column("document", sa.JSON))


@pytest.mark.parametrize("document", [{}, [], "", "text", "7", 7, -1, 1.5, 1e300, True, False, None, [None], {"a": 7}])
def test_documents(tmp_path, document):
    database = db.Database(types.SimpleNamespace(connection=f"sqlite:///{tmp_path}/db", max_pool_size=1,
                                                 max_overflow=0))
    try:
        with database.write() as tx:
            TABLE.create(tx)
            tx.execute(TABLE.insert().values(document=document))
        with database.read() as tx:
            found = tx.execute(sa.select(TABLE.c.document)).scalar()
        assert (found, type(found)) == (document, type(document))
    finally:
        database.dispose()
