"""Filters of lists: which keys each resource takes, and what each means in the database."""

import ast
import datetime
import re

from cinder_lite import errors
from cinder_lite.api.body import FALSE, TRUE
from cinder_lite.db import filtering

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
#: Other words for columns, and those of one resource.
SYNONYMS = {"display_name": "name", "instance_id": "instance_uuid", "tenant_id": "project_id",
            "display_description": "description", ("attachment", "status"): "attach_status"}
#: Filters and the microversion from which they count; below they are dropped.
SINCE = {("volume", "group_id"): "3.10", ("volume", "glance_metadata"): "3.4", ("volume", "created_at"): "3.60",
         ("volume", "updated_at"): "3.60", ("volume", "consumes_quota"): "3.65", ("snapshot", "metadata"): "3.22",
         ("snapshot", "consumes_quota"): "3.65"}
WHITELIST_SINCE, LIKE_SINCE = "3.31", "3.34"
_NUMBER = re.compile(r"-?[0-9]{1,17}")
_COMPARISONS = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__", "lt": "__lt__", "lte": "__le__"}


def clauses(req, resource, wanted=None):
    """The conditions that the request's filters, or those that are `wanted`, put on the resource's table."""
    wanted = req.filters() if wanted is None else wanted
    check(req, resource, wanted)
    found = (_clause(req, resource, key, value) for key, value in wanted.items())
    return [clause for clause in found if clause is not None]


def check(req, resource, keys, admins_too=False):
    """From 3.31 on refuse the keys that are not filters of the resource; administrators may use any column."""
    if not req.at(WHITELIST_SINCE) or (req.ctx.is_admin and not admins_too):
        return
    unknown = [key for key in keys if not _allowed(req, resource, key)]
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filters {', '.join(sorted(unknown))[:300]} are found in query "
                                         f"options. There are: {', '.join(ALLOWED[resource])}.")


def _allowed(req, resource, key):
    return (key.removesuffix("~") if req.at(LIKE_SINCE) else key) in ALLOWED[resource]


def _clause(req, resource, key, value):
    # Below 3.31 other keys are dropped, but for those that a version made a filter before there was a list.
    if not req.ctx.is_admin and not _allowed(req, resource, key) and (resource, key) not in SINCE:
        return None
    if key.endswith("~"):
        return _contains(req, resource, key.removesuffix("~"), value)
    since = SINCE.get((resource, key))
    if since is not None and not req.at(since):
        return None
    if key == "metadata" and filtering.has_metadata(resource):
        return filtering.metadata(resource, dictionary(key, value), None if req.all_projects else req.ctx.project_id)
    if key == "glance_metadata" and resource == "volume":
        return filtering.image_metadata(dictionary(key, value))
    if key == "availability_zone" and resource == "snapshot":
        return filtering.in_zone(value)
    return _column(req, resource, _column_of(resource, key), value)


def _column_of(resource, key):
    return SYNONYMS.get((resource, key)) or SYNONYMS.get(key, key)


def _contains(req, resource, key, value):
    column = _column_of(resource, key)
    if not req.at(LIKE_SINCE) or key not in ALLOWED[resource] or filtering.kind(resource, column) is None:
        return filtering.nothing()
    return filtering.contains(resource, column, value)


def _column(req, resource, key, value):
    kind = filtering.kind(resource, key)
    if kind == "boolean":
        return filtering.one_of(resource, key, [boolean(req, key, value)])
    if kind == "time":
        return _times(resource, key, value)
    values = _literals(value) if resource == "volume" else [value]
    if kind == "integer":
        return filtering.one_of(resource, key, [int(one) for one in values if _NUMBER.fullmatch(one)])
    if kind == "text":
        return filtering.one_of(resource, key, values)
    return filtering.nothing()


def _literals(text):
    """The texts that a filter of volumes names: itself, or what it is when it is read as a Python literal."""
    if text[:1] not in ("'", '"', "[", "("):
        return [text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return [text]
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def boolean(req, key, value):
    """A boolean filter: any boolean word from 3.2 on; before, three spellings, and whatever else has text is true."""
    if not req.at("3.2"):
        return value not in ("false", "False", "FALSE", "")
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise errors.InvalidInput(reason=f"The filter {key} takes a boolean word such as true or false, not '{value}'.")


def _times(resource, key, value):
    """`op:time`, several joined by commas; a bare time is compared for equality."""
    found = []
    for part in value.split(","):
        operator, colon, text = part.partition(":")
        if operator not in _COMPARISONS or not colon:
            operator, text = "eq", part
        try:
            time = datetime.datetime.fromisoformat(text)
            if time.tzinfo is not None:
                time = time.astimezone(datetime.UTC).replace(tzinfo=None)
        except (ValueError, OverflowError) as error:
            raise errors.InvalidInput(reason=(
                f"The filter {key} takes op:time with one of {', '.join(_COMPARISONS)} and an ISO 8601 time, "
                f"not '{part[:100]}'.")) from error
        found.append(filtering.compared(resource, key, _COMPARISONS[operator], time))
    return filtering.all_of(found)


def dictionary(key, text):
    """A filter that is a dictionary as text, {'k': 'v'} with either quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise errors.InvalidInput(reason=f"The filter {key} takes a dictionary such as {{'key': 'value'}}, "
                                         f"not '{text[:100]}'.") from error
    if not isinstance(value, dict):
        raise errors.InvalidInput(reason=f"The filter {key} takes a dictionary such as {{'key': 'value'}}.")
    return {str(name): one for name, one in value.items()}
