"""Reads a Cinder database."""

from typing import Any

import sqlalchemy as sa

from cinder_lite import errors
from cinder_lite.db import drivers, engines

#: Columns by which a database of a supported release is recognized.
NEEDED = {"volumes": "use_quota", "snapshots": "use_quota", "default_volume_types": "project_id",
          "transfers": "no_snapshots", "volume_attachment": "connector", "groups": "group_type_id"}
ERRORS = (sa.exc.OperationalError, sa.exc.DatabaseError)


class NotCinders(errors.Explained):
    """The database is not a Cinder database, or of a release that is too old."""


class CinderDatabase:
    """A connection to a Cinder database. `url` is the value of Cinder's [database] connection."""

    def __init__(self, url: str):
        self.url = drivers.url_of(url)
        if engines.is_missing(self.url):
            raise NotCinders(f"there is no file {self.url.database}")
        self._engine = sa.create_engine(self.url, connect_args=drivers.connect_args(self.url))
        self._tables = sa.MetaData()

    def close(self) -> None:
        self._engine.dispose()

    def check(self) -> None:
        """Raise NotCinders unless all tables that are read exist."""
        with self._engine.connect() as connection:
            inspector = sa.inspect(connection)
            names = set(inspector.get_table_names())
            if "volumes" not in names or "volume_glance_metadata" not in names:
                raise NotCinders(f"there are no Cinder tables at {self.url.render_as_string()}")
            for table, column in NEEDED.items():
                if table not in names or column not in {one["name"] for one in inspector.get_columns(table)}:
                    raise NotCinders(f"the database has no {table}.{column}: it is of a Cinder release before 2023.1; "
                                     "upgrade Cinder first ('cinder-manage db sync' of its release 29)")

    def rows(self, *names: str) -> dict[str, list[dict[str, Any]]]:
        """The rows of the tables that are not marked as deleted: {table: [{column: value}]}."""
        with self._engine.connect() as connection:
            self._tables.reflect(connection, only=list(names), resolve_fks=False)
            return {name: [dict(row._mapping) for row in connection.execute(self._alive(name))] for name in names}

    def _alive(self, name):
        table = self._tables.tables[name]
        query = sa.select(table)
        if "deleted" in table.c:
            # One table has numbers, which PostgreSQL does not compare with booleans.
            present = sa.false() if isinstance(table.c.deleted.type, sa.Boolean) else 0
            query = query.where(sa.or_(table.c.deleted.is_(None), table.c.deleted == present))
        return query.order_by(*(table.c[column] for column in ("created_at", "id") if column in table.c))
