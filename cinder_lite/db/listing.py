"""Reads pages of lists: filters, order and keyset pagination, the same for every resource.

A page begins after its marker: the sort columns are compared with those of the marker's row, so that every page costs
the same.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import sqlalchemy.ext.compiler

from cinder_lite import context, db, errors
from cinder_lite.db.metadata_index import HasMetadata

#: A part of a WHERE clause.
Condition = sa.ColumnElement[bool] | HasMetadata

_ALL = sa.true()


@dataclasses.dataclass(frozen=True)
class Paging:
    """The requested page: `sort` is ((column name, "asc" | "desc"), ...), `marker` the last id of the previous page."""

    limit: int = 1000
    marker: str | None = None
    offset: int = 0
    sort: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Listing:
    """How a table is listed; `sorts` are the columns that lists can be sorted by."""

    table: sa.Table
    sorts: frozenset[str]

    def ordered(self, paging: Paging) -> list[tuple[Any, str]]:
        """The sort keys; created_at and id break ties, in the direction of the first key."""
        keys = [(key, direction) for key, direction in paging.sort] or [("created_at", "desc")]
        for key, _ in keys:
            if key not in self.sorts:
                raise errors.InvalidInput(reason=f"Invalid sort key: '{key}'. "
                                                 f"A list can be sorted by {', '.join(sorted(self.sorts))}.")
        first = keys[0][1]
        named = {key for key, _ in keys}
        keys += [(tie, first) for tie in ("created_at", "id") if tie not in named and tie in self.table.c]
        return [(_sortable(self.table.c[key]), direction) for key, direction in keys]

    def page(self, tx: db.Transaction, query: sa.Select, where: Sequence[Condition], paging: Paging,
             visible: Condition = _ALL) -> list[Any]:
        """Run `query`, a SELECT from the table, for a page of the `visible` rows that meet all conditions of `where`.

        Returns named tuples. A marker may name any visible row.
        """
        keys = self.ordered(paging)
        metadata = None
        names = [key.name if isinstance(key, sa.Column) else None for key, _ in keys]
        ids = self._hinted(sa.select(self.table.c.id), names, where, visible)
        if set(names) <= HasMetadata.order.keys():
            metadata = next((one for one in where if isinstance(one, HasMetadata)), None)
        row = self._marked(tx, keys, paging, visible)
        conditions = [visible, *(one for one in where if one is not metadata)]
        if metadata is not None:
            ids, keys = metadata.ids, [(metadata.order[column.name], direction) for column, direction in keys]
        found: list[Any] = []
        for condition, order in _parts(keys, row, whole=bool(paging.offset)):
            part = dataclasses.replace(paging, limit=paging.limit - len(found))
            if metadata is not None or tx.dialect.name == "mysql":
                part = self._by_ids(query, ids.where(*conditions, condition), order, self.ordered(paging), part)
            else:
                part = _cut(query.where(*conditions, condition).order_by(*order), part)
            result = tx.execute(part)
            found += map(_row(tuple(result.keys()))._make, result)
            if len(found) >= paging.limit:
                break
        return found

    def _hinted(self, ids, sort, where, visible):
        """The query, with a hint for MariaDB to use the index of the filtered column and the list's order.

        Without the hint MariaDB reads all rows of a project after a marker: its estimate of such a read has an upper
        bound, its estimate of a range has none.
        """
        of_project = [] if visible is _ALL else ["project_id"]
        indexed = {name for one in self.table.indexes for name in one.columns.keys()}
        filtered = (indexed & _columns(self.table, where)) - {*of_project, *sort}
        order = [*of_project, *filtered, *sort]
        index = next((one for one in self.table.indexes if one.columns.keys() == order), None)
        return ids if index is None else ids.with_hint(self.table, f"FORCE INDEX ({index.name})", "mysql")

    def _marked(self, tx, keys, paging, visible):
        """The values of the sort keys in the marker's row; None without a marker. Raises MarkerNotFound."""
        if paging.marker is None:
            return None
        row = tx.execute(sa.select(*(column for column, _ in keys)).where(
            self.table.c.id == paging.marker, visible)).first()
        if row is None:
            raise errors.MarkerNotFound(id=paging.marker)
        return row

    def _by_ids(self, query, ids, order, keys, paging):
        """A query for the same rows that selects their ids first: MariaDB would read all whole rows before the page,
        too."""
        found = _cut(ids.order_by(*order), paging).subquery("page")
        return query.join(found, found.c.id == self.table.c.id).order_by(*map(_order, keys))


@dataclasses.dataclass(frozen=True)
class Resource(Listing):
    """How rows with an id are read: by `query`, a SELECT from the table. `missing` is raised for unknown ids."""

    query: sa.Select
    missing: type[errors.NotFound]

    @functools.cached_property
    def _by_id(self):
        return self.query.where(self.table.c.id == sa.bindparam("id"))

    def find(self, tx: db.Transaction, id: str | None) -> db.Row | None:
        """The row, or None."""
        return tx.execute(self._by_id, {"id": id}).first()

    def existing(self, tx: db.Transaction, id: str) -> db.Row:
        """The row, whatever its project. Raises `missing`."""
        row = self.find(tx, id)
        if row is None:
            raise self.missing(id=id)
        return row

    def get(self, tx: db.Transaction, ctx: context.Context, id: str) -> db.Row:
        """The row, if it is visible to the requester. Raises `missing`."""
        return self.visible(ctx, id, self.find(tx, id))

    def visible(self, ctx: context.Context, id: str, row: db.Row | None) -> db.Row:
        """The row, if the requester sees it. Raises `missing`."""
        if row is None or not ctx.sees(row.project_id):
            raise self.missing(id=id)
        return row

    def inserted(self, values: Mapping[str, Any]) -> Any:
        """The row after an INSERT of these values, which name all columns that are not null, without a SELECT."""
        names = tuple(self.query.selected_columns.keys())
        return _row(names)(**{**dict.fromkeys(names), **values})

    def rows(self, tx: db.Transaction, where: Sequence[Condition], paging: Paging, visible: Condition = _ALL,
             query: sa.Select | None = None) -> list[Any]:
        """A page of the visible rows, with the columns of another `query` if it is given."""
        return self.page(tx, self.query if query is None else query, where, paging, visible)

    def count(self, tx: db.Transaction, where: Sequence[Condition], visible: Condition) -> int:
        """The number of visible rows that meet all conditions."""
        return tx.execute(sa.select(sa.func.count()).select_from(self.table).where(visible, *where)).scalar_one()

    def visible_to(self, ctx: context.Context, all_projects: bool) -> Condition:
        """The condition of the rows that a list shows: those of the project, or all for administrators on request."""
        return _ALL if ctx.is_admin and all_projects else self.table.c.project_id == ctx.project_id


def _sortable(column):
    """The column; booleans, which not every database compares by < and >, become 0 and 1."""
    if not isinstance(column.type, sa.Boolean):
        return column
    return sa.case((column.is_(None), None), (column, 1), else_=0)


#: A page asks each row for its columns far faster than SQLAlchemy's rows answer.
_row = functools.cache(db.row_type)


def _columns(table, conditions):
    """Names of the table's columns in the conditions."""
    return {one.name for condition in conditions for one in sa.sql.visitors.iterate(sa.and_(condition))
            if isinstance(one, sa.Column) and one.table is table}


def _cut(query, paging):
    query = query.limit(paging.limit)
    return query.offset(paging.offset) if paging.offset else query


def _nullable(column):
    return getattr(column, "nullable", True)


def _order(key):
    """A column in its direction; nulls are lowest."""
    column, direction = key
    order = column.asc() if direction == "asc" else column.desc()
    if _nullable(column):
        return order.nulls_first() if direction == "asc" else order.nulls_last()
    return order


@sa.ext.compiler.compiles(sa.sql.expression.UnaryExpression, "mysql", "mariadb")
def _without_nulls_order(element, compiler, **kw):
    """Omit NULLS FIRST and NULLS LAST, which MariaDB does not support; it sorts nulls lowest, as required."""
    if element.modifier in (sa.sql.operators.nulls_first_op, sa.sql.operators.nulls_last_op):
        return compiler.process(element.element, **kw)
    return compiler.visit_unary(element, **kw)


def _parts(keys, row, whole):
    """[(condition, order)] of the queries that together return the rows after `row`, or all rows if it is None.

    For a nullable first column these are two queries, of the rows with and without a value: no database reads both from
    an index in the order of the list. `whole` requests a single query in any case.
    """
    (column, direction), *rest = keys
    if not _nullable(column) or whole:
        return [(_after(keys, row) if row is not None else sa.true(), [_order(key) for key in keys])]
    in_nulls = row is not None and row[0] is None
    nulls = sa.and_(column.is_(None), _after(rest, row[1:])) if in_nulls else column.is_(None)
    values = column.is_not(None) if in_nulls or row is None else _after(keys, row, null_too=False)
    last = [_order(key) for key in rest]
    parts = {"nulls": (nulls, last),
             "values": (values, [column.asc() if direction == "asc" else column.desc(), *last])}
    names = ("nulls", "values") if direction == "asc" else ("values", "nulls")
    begin = names.index("nulls" if in_nulls else "values") if row is not None else 0
    return [parts[name] for name in names[begin:]]


def _after(keys, row, null_too=True):
    """The rows after `row` in the order of the keys; `null_too` includes rows without a value in the first column."""
    (column, direction), *rest = keys
    null_too = null_too and _nullable(column)
    clause = _beyond(column, direction, row[0], null_too)
    if not rest:
        return clause
    same = column.is_(None) if row[0] is None else column == row[0]
    clause = sa.or_(clause, sa.and_(same, _after(rest, row[1:])))
    if row[0] is None or (null_too and direction == "desc"):
        return clause
    # Redundant, but in a form for which every database reads a range of the index.
    return sa.and_(column >= row[0] if direction == "asc" else column <= row[0], clause)


def _beyond(column, direction, value, null_too):
    if direction == "asc":
        return column.is_not(None) if value is None else column > value
    if value is None:
        return sa.false()
    return sa.or_(column < value, column.is_(None)) if null_too else column < value


def like(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """The column contains the text."""
    return column.contains(text, autoescape=True)


def count(tx: db.Transaction, query: sa.Select) -> int:
    """The number of rows of the query."""
    return tx.execute(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())).scalar_one()
