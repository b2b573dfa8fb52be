"""Pages of a list: filters, order and keyset pagination, the same for every resource.

A page begins behind its marker by comparing the sort columns with the marker row's, so that it costs the same
wherever in the list it lies.
"""

import dataclasses

import sqlalchemy as sa
import sqlalchemy.ext.compiler

from cinder_lite import errors


@dataclasses.dataclass(frozen=True)
class Paging:
    """What page is wanted: `sort` is ((column name, "asc" | "desc"), ...); `marker` the last id of the page before."""

    limit: int = 1000
    marker: str | None = None
    offset: int = 0
    sort: tuple = ()


@dataclasses.dataclass(frozen=True)
class Listing:
    """How a table is listed: what may be sorted by, and the row a marker names."""

    table: sa.Table
    sorts: frozenset

    def ordered(self, paging):
        """The order with its ties: created_at and id in the direction of the first key."""
        keys = [(key, direction) for key, direction in paging.sort] or [("created_at", "desc")]
        for key, _ in keys:
            if key not in self.sorts:
                raise errors.InvalidInput(reason=f"Invalid sort key: '{key}'. "
                                                 f"A list can be sorted by {', '.join(sorted(self.sorts))}.")
        first = keys[0][1]
        named = {key for key, _ in keys}
        keys += [(tie, first) for tie in ("created_at", "id") if tie not in named and tie in self.table.c]
        return [(self.table.c[key], direction) for key, direction in keys]

    def page(self, tx, query, paging, visible=sa.true()):
        """Run `query` (a SELECT from the table, filtered) for the page. `visible` limits which row a marker may name."""
        keys = self.ordered(paging)
        if paging.marker is not None:
            row = tx.execute(sa.select(*(column for column, _ in keys)).where(
                self.table.c.id == paging.marker, visible)).first()
            if row is None:
                raise errors.MarkerNotFound(id=paging.marker)
            query = query.where(_after(keys, row))
        order = [_order(column, direction) for column, direction in keys]
        if tx.dialect.name in ("mysql", "mariadb"):
            query = self._by_ids(query, order, paging)
        else:
            query = _cut(query.order_by(*order), paging)
        return tx.execute(query).all()

    def _by_ids(self, query, order, paging):
        """The same rows, found in an index first: asked for whole ones MariaDB reads all those before the page, too."""
        found = _cut(sa.select(self.table.c.id).where(query.whereclause).order_by(*order), paging).subquery("page")
        tables = query.get_final_froms()[0].join(found, found.c.id == self.table.c.id)
        return sa.select(*query.selected_columns).select_from(tables).order_by(*order)


def _cut(query, paging):
    query = query.limit(paging.limit)
    return query.offset(paging.offset) if paging.offset else query


def _order(column, direction):
    order = column.asc() if direction == "asc" else column.desc()
    if column.nullable:
        return order.nulls_first() if direction == "asc" else order.nulls_last()
    return order


@sa.ext.compiler.compiles(sa.sql.expression.UnaryExpression, "mysql", "mariadb")
def _without_nulls_word(element, compiler, **kw):
    """MariaDB has no NULLS FIRST; it sorts nulls lowest, which is what is asked for here."""
    if element.modifier in (sa.sql.operators.nulls_first_op, sa.sql.operators.nulls_last_op):
        return compiler.process(element.element, **kw)
    return compiler.visit_unary(element, **kw)


def _after(keys, row):
    """The rows behind `row` in the order of the keys."""
    (last, direction), *before = reversed(keys)
    clause = _beyond(last, direction, row[-1])
    for (column, direction), value in zip(before, reversed(row[:-1]), strict=True):
        same = column.is_(None) if value is None else column == value
        clause = sa.or_(_beyond(column, direction, value), sa.and_(same, clause))
    column, direction = keys[0]
    if row[0] is not None and not column.nullable:
        # Said again in a form that every database turns into a range of the index.
        clause = sa.and_(column >= row[0] if direction == "asc" else column <= row[0], clause)
    return clause


def _beyond(column, direction, value):
    if direction == "asc":
        return column.is_not(None) if value is None else column > value
    if value is None:
        return sa.false()
    return sa.or_(column < value, column.is_(None)) if column.nullable else column < value


def like(column, text):
    """The column contains the text."""
    return column.contains(text, autoescape=True)


def count(tx, query):
    """How many rows the query has."""
    return tx.execute(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())).scalar()
