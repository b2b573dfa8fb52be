"""Builds the conditions of list filters."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from cinder_lite.db import listing, metadata_index, schema

TABLES = {**schema.RESOURCES, "attachment": schema.attachments, "message": schema.messages}
#: Type of a column -> kind of its values; other columns are text.
KINDS = ((sa.Boolean, "boolean"), (sa.Integer, "integer"), (sa.DateTime, "time"), (sa.JSON, "document"))
TEXT = "text"


def nothing() -> listing.Condition:
    """A condition that no row meets."""
    return sa.false()


def all_of(conditions: Iterable[listing.Condition]) -> listing.Condition:
    """A condition that holds where all of them do."""
    return sa.and_(*conditions)


def kind(resource: str, key: str) -> str | None:
    """The kind of the column's values: boolean, integer, time, document or text; None if there is no such column."""
    column = TABLES[resource].c.get(key)
    if column is None:
        return None
    return next((kind for type_, kind in KINDS if isinstance(column.type, type_)), TEXT)


def one_of(resource: str, key: str, values: Collection[Any]) -> listing.Condition:
    """The column has one of the values; None stands for null."""
    column, some = TABLES[resource].c[key], [value for value in values if value is not None]
    clause = column.in_(some)
    return clause if len(some) == len(values) else sa.or_(clause, column.is_(None))


def on_host(resource: str, host: str) -> listing.Condition:
    """The volumes, or the snapshots of volumes, in a pool, on a backend, or on any backend of a host."""
    column = schema.volumes.c.host
    below = [mark for mark in "#@" if mark not in host and not (mark == "@" and "#" in host)]
    here = sa.or_(column == host, *(column.startswith(host + mark, autoescape=True) for mark in below))
    if resource == "volume":
        return here
    return schema.snapshots.c.volume_id.in_(sa.select(schema.volumes.c.id).where(here))


def compared(resource: str, key: str, operator: str, value: Any) -> listing.Condition:
    """The column compares with the value by `operator`: __gt__, __le__, ..."""
    return getattr(TABLES[resource].c[key], operator)(value)


def contains(resource: str, key: str, text: str) -> listing.Condition:
    """The column contains the text."""
    column = TABLES[resource].c[key]
    return listing.like(column if isinstance(column.type, sa.String) else sa.cast(column, sa.String), text)


def has_metadata(resource: str) -> bool:
    """Whether lists of the resource can be filtered by metadata."""
    return resource in metadata_index.TABLES


def metadata(resource: str, pairs: Mapping[str, Any], project_id: str | None) -> listing.Condition:
    """The rows with all these pairs; `project_id` is the project whose rows are listed, None for all."""
    if not pairs:
        return sa.true()
    return metadata_index.HasMetadata(resource, {key: str(value) for key, value in pairs.items()}, project_id)


def image_metadata(pairs: Mapping[str, Any]) -> listing.Condition:
    """The volumes whose image metadata has all these pairs."""
    return in_document(schema.volumes.c.image_metadata, pairs)


def in_document(column: sa.Column[Any], pairs: Mapping[str, Any]) -> listing.Condition:
    """The column of documents has all these pairs."""
    # Databases differ in the quoting of paths; stored keys contain no quotes.
    if any(letter in key for key in pairs for letter in '"\\'):
        return sa.false()
    return sa.and_(sa.true(), *(column[key].as_string() == str(value) for key, value in pairs.items()))


def in_zone(zone: str) -> listing.Condition:
    """The snapshots of volumes in that availability zone."""
    return schema.snapshots.c.volume_id.in_(
        sa.select(schema.volumes.c.id).where(schema.volumes.c.availability_zone == zone))
