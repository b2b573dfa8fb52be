"""Pages of lists among many volumes: how many rows the databases read for one, as counted work."""

import contextlib

import pytest
import sqlalchemy as sa

from tests.services import servers
from tests.services.crowd import REQUESTS, Crowd

VOLUMES = 20_000
LIMIT = 50
#: What may be read for a page: each of its rows from an index, itself, and its type, and some beside. Those that carry a
#: pair of metadata are all looked at, for a pair has no order.
READ, READ_BY_METADATA = 8 * LIMIT, 8 * VOLUMES // 100


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL], ids=lambda kind: kind.name)
def crowd(request, tmp_path_factory):
    with request.param() as server:
        server.start()
        made = Crowd(server.url, str(tmp_path_factory.mktemp("crowd")))
        made.add(VOLUMES)
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
            return sum(_visited(connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", parameters).scalar()[0]["Plan"])
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


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "sorted by name"])
def test_a_page_costs_its_own_rows(crowd, name):
    crowd.request("/volumes?limit=1")
    with statements(crowd) as sent:
        found = crowd.request(crowd.path(name))[1]["volumes"]
    assert 1 <= len(found) <= LIMIT
    read = rows_read(crowd, sent)
    assert read <= (READ_BY_METADATA if name == "by metadata" else READ), (read, sent)
