"""Filters of lists: which keys each resource takes, and what each means in the database."""

import ast
import datetime

import sqlalchemy as sa

from cinder_lite import errors
from cinder_lite.api.body import FALSE, TRUE
from cinder_lite.db import listing, schema, snapshots, volumes

#: resource -> filters that everybody may use from 3.31 on, as GET /resource_filters shows them.
ALLOWED = {
    "volume": ("name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size",
               "created_at", "updated_at", "consumes_quota"),
    "backup": ("name", "status", "volume_id"),
    "snapshot": ("name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    "group": ("name",),
    "group_snapshot": ("name", "status", "group_id"),
    "attachment": ("volume_id", "status", "instance_id", "attach_status"),
    "message": ("resource_uuid", "resource_type", "event_id", "request_id", "message_level"),
    "pool": ("name", "volume_type"),
    "volume_type": ("is_public", "extra_specs"),
}
#: Other words for columns.
SYNONYMS = {"display_name": "name", "instance_id": "instance_uuid", "tenant_id": "project_id",
            "display_description": "description"}
#: Filters and the microversion from which they count; below they are dropped.
SINCE = {("volume", "group_id"): "3.10", ("volume", "glance_metadata"): "3.4", ("volume", "created_at"): "3.60",
         ("volume", "updated_at"): "3.60", ("volume", "consumes_quota"): "3.65", ("snapshot", "metadata"): "3.22",
         ("snapshot", "consumes_quota"): "3.65"}
TABLES = {"volume": schema.volumes, "snapshot": schema.snapshots, "backup": schema.backups,
          "attachment": schema.attachments, "message": schema.messages}
METADATA = {"volume": volumes.with_metadata, "snapshot": snapshots.with_metadata}
WHITELIST_SINCE, LIKE_SINCE = "3.31", "3.34"
_COMPARISONS = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__", "lt": "__lt__", "lte": "__le__"}


def clauses(req, resource):
    """The conditions that the request's filters put on the resource's table."""
    found = []
    for key, value in req.filters().items():
        clause = _clause(req, resource, key, value)
        if clause is not None:
            found.append(clause)
    return found


def check(req, resource, keys, admins_too=False):
    """From 3.31 on refuse the keys that are not filters of the resource; administrators may use any column."""
    if not req.at(WHITELIST_SINCE) or (req.ctx.is_admin and not admins_too):
        return
    unknown = [key for key in keys if key.removesuffix("~") not in ALLOWED[resource]]
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filters {', '.join(sorted(unknown))[:300]} are found in query "
                                         f"options. There are: {', '.join(ALLOWED[resource])}.")


def _clause(req, resource, key, value):
    allowed = key.removesuffix("~") in ALLOWED[resource] or key in SYNONYMS
    check(req, resource, [key] if not allowed else [])
    if not allowed and not req.ctx.is_admin:
        return None
    if key.endswith("~"):
        return _like(req, resource, key.removesuffix("~"), value)
    since = SINCE.get((resource, key))
    if since is not None and not req.at(since):
        return None
    if key == "metadata" and resource in METADATA:
        return METADATA[resource](dictionary(key, value))
    if key == "glance_metadata":
        return sa.and_(*(schema.volumes.c.image_metadata[name].as_string() == str(wanted)
                         for name, wanted in dictionary(key, value).items()))
    return _column(req, TABLES[resource], SYNONYMS.get(key, key), value)


def _like(req, resource, key, value):
    if not req.at(LIKE_SINCE) or key not in ALLOWED[resource]:
        return sa.false() if req.ctx.is_admin else None
    column = TABLES[resource].c.get(SYNONYMS.get(key, key))
    if column is None:
        return sa.false()
    return listing.like(sa.cast(column, sa.String) if not isinstance(column.type, sa.String) else column, value)


def _column(req, table, key, value):
    column = table.c.get(key)
    if column is None:
        return sa.false()
    if isinstance(column.type, sa.Boolean):
        return column.is_(boolean(req, key, value))
    if isinstance(column.type, sa.Integer):
        return column == int(value) if value.isascii() and value.isdecimal() and len(value) < 18 else sa.false()
    if isinstance(column.type, sa.DateTime):
        return _times(column, key, value)
    if isinstance(column.type, sa.JSON):
        return sa.false()
    return column == value


def boolean(req, key, value):
    """A boolean filter: any boolean word from 3.2 on; before, three spellings, and whatever else is not empty is true."""
    if not req.at("3.2"):
        return value.lower() != "false" and value != ""
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise errors.InvalidInput(reason=f"The filter {key} takes a boolean word such as true or false, not '{value}'.")


def _times(column, key, value):
    """`op:time`, several joined by commas; a bare time is compared for equality."""
    found = []
    for part in value.split(","):
        operator, colon, text = part.partition(":")
        if operator not in _COMPARISONS or not colon:
            operator, text = "eq", part
        try:
            time = datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise errors.InvalidInput(reason=(
                f"The filter {key} takes op:time with one of {', '.join(_COMPARISONS)} and an ISO 8601 time, "
                f"not '{part}'.")) from error
        if time.tzinfo is not None:
            time = time.astimezone(datetime.UTC).replace(tzinfo=None)
        found.append(getattr(column, _COMPARISONS[operator])(time))
    return sa.and_(*found)


def dictionary(key, text):
    """A filter that is a dictionary as text, {'k': 'v'} with either quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise errors.InvalidInput(reason=f"The filter {key} takes a dictionary such as {{'key': 'value'}}, "
                                         f"not '{text[:100]}'.") from error
    if not isinstance(value, dict):
        raise errors.InvalidInput(reason=f"The filter {key} takes a dictionary such as {{'key': 'value'}}.")
    return value
