"""Pages of large lists: the number of rows that the databases read, and the index."""

import contextlib
import tracemalloc

import pytest
import sqlalchemy as sa

from tests.services import servers
from tests.services.crowd import REQUESTS, Crowd
from tests.unit.db import walk

MANY = {"volumes": 8_000, "snapshots": 8_000, "backups": 4_000, "attachments": 4_000}
LIMIT = 50
#: What may be read for a page: each of its rows from indexes, itself, and its type, and some beside.
READ = 8 * LIMIT
#: Bytes that the longest page may take at once.
MEMORY = 16 * 1024**2


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL], ids=lambda kind: kind.name)
def crowd(request, tmp_path_factory):
    with request.param() as server:
        server.start()
        made = Crowd(server.url, str(tmp_path_factory.mktemp("crowd")))
        for kind, count in MANY.items():
            made.add(kind, count)
        yield made
        made.close()


@contextlib.contextmanager
def statements(crowd):
    """The SELECTs that are sent meanwhile: [(text, parameters)]."""
    seen = []

    def note(_connection, _cursor, text, parameters, _context, _many):
        if text.startswith("SELECT"):
            seen.append((text, parameters))

    for engine in crowd.db.engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in crowd.db.engines:
        sa.event.remove(engine, "before_cursor_execute", note)


def rows_read(crowd, sent):
    """How many rows the database reads for these statements."""
    with crowd.db.engine.connect() as connection:
        if crowd.db.dialect == "postgresql":
            return sum(_visited(connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}",
                                                           parameters).scalar()[0]["Plan"])
                       for text, parameters in sent)
        connection.exec_driver_sql("FLUSH STATUS")
        for text, parameters in sent:
            connection.exec_driver_sql(text, parameters).all()
        found = dict(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all())
        return sum(int(n) for name, n in found.items() if name != "Handler_read_rnd_deleted")


def _visited(plan):
    """Rows that the scans of a plan gave out or threw away, and those that its sorts took."""
    here = 0
    if "Scan" in plan["Node Type"] or plan["Node Type"] == "Sort":
        here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return here + sum(_visited(child) for child in plan.get("Plans", ()))


def plans(crowd, sent):
    """How the database gets at its tables: [(table, index or None)]."""
    with crowd.db.engine.connect() as connection:
        if crowd.db.dialect == "postgresql":
            return [one for text, parameters in sent for one in _scans(
                connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", parameters).scalar()[0]["Plan"])]
        return [(row.table, row.key) for text, parameters in sent
                for row in connection.exec_driver_sql(f"EXPLAIN {text}", parameters)]


def _scans(plan, index=None):
    index = plan.get("Index Name", index)
    if "Relation Name" in plan:
        yield plan["Relation Name"], index if plan["Node Type"] != "Bitmap Heap Scan" else "bitmap"
    for child in plan.get("Plans", ()):
        yield from _scans(child)


@pytest.mark.parametrize(("name", "roles"), [
    *((name, "admin") for name in REQUESTS), *((name, "member,reader") for name in REQUESTS if " of all" not in name)])
def test_a_page_costs_its_own_rows(crowd, name, roles):
    crowd.roles = roles.split(",")
    crowd.request("/volumes?limit=1")
    with statements(crowd) as sent:
        document = crowd.request(crowd.path(name))[1]
    assert 1 <= len(next(iter(document.values()))) <= LIMIT
    read = rows_read(crowd, sent)
    assert read <= READ, (read, sent)
    found = plans(crowd, sent)
    assert [table for table, index in found if index is None and table in (*MANY, "labels")] == [], (found, sent)


def test_the_longest_page_takes_little_memory(crowd):
    """However many there are, and however many are asked for."""
    path = "/volumes/detail?limit=1000000"
    crowd.request(path)
    tracemalloc.start()
    try:
        page = crowd.request(path)[1]["volumes"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(page) == crowd.conf.osapi_max_limit < crowd.counts["volumes"]
    assert peak <= MEMORY


def test_pages_are_the_list(crowd):
    with crowd.db.engine.connect() as connection, connection.begin() as undone:
        for table in ("labels", "volumes"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        rows = walk.fill(connection)
        for sort in walk.SORTS:
            for pairs in walk.FILTERS[:2]:
                assert walk.walked(connection, sort, pairs, False, 8) == walk.expected(rows, sort, pairs, False), (sort,
                    pairs)
        undone.rollback()
