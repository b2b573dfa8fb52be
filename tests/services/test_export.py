"""The control plane moves to another database and back with export and restore."""

import pytest

from cinder_lite.cmd import manage
from cinder_lite.db import export, migrate
from tests.functional import everything
from tests.functional.installation import Installation


@pytest.fixture
def installations(mariadb, postgresql, tmp_path):
    """One on each database, as db sync leaves them; the last is on SQLite as the first is."""
    made = []
    for name, connection in (("first", None), ("mariadb", mariadb.emptied()), ("postgresql", postgresql.emptied()),
                             ("last", None)):
        (tmp_path / name).mkdir()
        made.append(Installation(tmp_path / name, connection))
        migrate.sync(made[-1].db)
    yield made
    for one in made:
        one.db.dispose()


def test_everything_moves_through_every_database(installations, tmp_path):
    everything.fill(installations[0].db, export.PAGE + 20)
    found = list(export.rows(installations[0].db))
    for number, (here, there) in enumerate(zip(installations, installations[1:], strict=False)):
        file = str(tmp_path / f"export-{number}")
        assert manage.main(["export", file, "--config-file", here.conf_file]) == 0
        assert manage.main(["restore", file, "--config-file", there.conf_file]) == 0
        there.add("services", uuid="u", binary="b", host="h")
        assert len(there.rows("services")) == export.PAGE + 21
        there.delete("services", there.rows("services", host="h")[0].id)
    assert sorted(map(str, export.rows(installations[-1].db))) == sorted(map(str, found))
