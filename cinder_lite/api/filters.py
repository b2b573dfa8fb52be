"""Translates the filters of a list's query into conditions, and refuses keys that are no filters of the resource."""

import ast
import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cinder_lite import errors
from cinder_lite.api import query_values
from cinder_lite.api.request import Request
from cinder_lite.db import filtering

#: A condition of a SELECT.
Clause = Any

#: resource -> filters that everybody may use from 3.31 on, as GET /resource_filters lists them.
ALLOWED: dict[str, tuple[str, ...]] = {
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
#: filter or (resource, filter) -> the column of another name.
SYNONYMS: dict[str | tuple[str, str], str] = {
    "display_name": "name", "instance_id": "instance_uuid", "tenant_id": "project_id",
    "display_description": "description", ("attachment", "status"): "attach_status"}
#: (resource, filter) -> the first microversion that applies it; earlier ones ignore it. As in Cinder, filters that were
#: announced later apply from the version on that lists the filters.
SINCE = {("volume", "group_id"): "3.10", ("volume", "glance_metadata"): "3.4", ("volume", "created_at"): "3.31",
         ("volume", "updated_at"): "3.31", ("volume", "consumes_quota"): "3.31", ("snapshot", "metadata"): "3.22",
         ("snapshot", "consumes_quota"): "3.31"}
WHITELIST_SINCE, LIKE_SINCE = "3.31", "3.34"
#: Resources whose lists have a count, and since when; elsewhere `with_count` is one more unknown filter.
WITH_COUNT, COUNT_SINCE = ("volume", "snapshot", "backup"), "3.45"
_NUMBER = re.compile(r"-?[0-9]{1,17}")
_COMPARISONS = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__", "lt": "__lt__", "lte": "__le__"}


def clauses(req: Request, resource: str, wanted: Mapping[str, str] | None = None) -> list[Clause]:
    """The conditions on the resource's table of the request's filters, or of those in `wanted`."""
    wanted = req.filters() if wanted is None else wanted
    check(req, resource, wanted)
    found = (_clause(req, resource, key, value) for key, value in wanted.items())
    return [clause for clause in found if clause is not None]


def check(req: Request, resource: str, keys: Iterable[str], admins_too: bool = False) -> None:
    """Raise InvalidInput, from 3.31 on, for keys that are no filters of the resource.

    Administrators may use any column, unless `admins_too`.
    """
    if not req.at(WHITELIST_SINCE):
        return
    if not all(key.isascii() for key in keys):
        raise errors.InvalidInput(reason="The names of filters have ASCII characters only.")
    if req.ctx.is_admin and not admins_too:
        return
    unknown = [key for key in keys if not _allowed(req, resource, key)]
    if "with_count" in req.query and not (resource in WITH_COUNT and req.at(COUNT_SINCE)):
        unknown.append("with_count")
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filters {', '.join(sorted(unknown))[:300]} are found in query "
                                         f"options. Valid filters: {', '.join(ALLOWED[resource])}.")


def _allowed(req: Request, resource: str, key: str) -> bool:
    return (key.removesuffix("~") if req.at(LIKE_SINCE) else key) in ALLOWED[resource]


def _clause(req: Request, resource: str, key: str, value: str) -> Clause | None:
    # Before 3.31 other keys are ignored, except those that an earlier version made a filter.
    if not req.ctx.is_admin and not _allowed(req, resource, key) and (resource, key) not in SINCE:
        return None
    if key.endswith("~"):
        return _contains(req, resource, key.removesuffix("~"), value)
    since = SINCE.get((resource, key))
    if since is not None and not req.at(since):
        return None
    if key == "metadata" and filtering.has_metadata(resource) or (resource, key) == ("volume", "glance_metadata"):
        return _metadata(req, resource, key, value)
    if key == "availability_zone" and resource == "snapshot":
        return filtering.in_zone(value)
    if key == "host" and resource in ("volume", "snapshot"):
        return filtering.on_host(resource, value)
    return _column(req, resource, _column_of(resource, key), value)


def _metadata(req: Request, resource: str, key: str, value: str) -> Clause:
    pairs = dictionary(value)
    if pairs is None:
        return filtering.nothing()
    if key == "glance_metadata":
        return filtering.image_metadata(pairs)
    return filtering.metadata(resource, pairs, None if req.all_projects else req.ctx.project_id)


def _column_of(resource: str, key: str) -> str:
    return SYNONYMS.get((resource, key)) or SYNONYMS.get(key, key)


def _contains(req: Request, resource: str, key: str, value: str) -> Clause:
    column = _column_of(resource, key)
    if not req.at(LIKE_SINCE) or key not in ALLOWED[resource] or filtering.kind(resource, column) is None:
        return filtering.nothing()
    return filtering.contains(resource, column, value)


def _column(req: Request, resource: str, key: str, value: str) -> Clause:
    kind = filtering.kind(resource, key)
    if kind == "boolean":
        return filtering.one_of(resource, key, [boolean(req, key, value)])
    if kind == "time":
        return _times(resource, key, value)
    # A name is compared as it is written, including quotes.
    values = _literals(value) if resource == "volume" and key != "name" else [value]
    if kind == "integer":
        return filtering.one_of(resource, key, [one if one is None else int(one) for one in values
                                                if one is None or _NUMBER.fullmatch(one)])
    if kind == "text":
        return filtering.one_of(resource, key, values)
    return filtering.nothing()


def _literal(text: str) -> Any:
    """The value of a Python literal. Raises ValueError for any other text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def _storable(text: str) -> bool:
    """Whether a database can store the text: escapes in literals can produce surrogates and NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _literals(text: str) -> list[str | None]:
    """The values of a filter of volumes: the text itself, or those of the Python literal that it is."""
    if text[:1] not in ("'", '"', "[", "(") and text != "None":
        return [text]
    try:
        value = _literal(text)
    except ValueError:
        return [text]
    values = value if isinstance(value, list | tuple) else [value]
    return [one if one is None else str(one) for one in values if _storable(str(one))]


def boolean(req: Request, key: str, value: str) -> bool:
    """A boolean filter: any boolean from 3.2 on; before, three spellings of false and the empty text are false."""
    if not req.at("3.2"):
        return value not in ("false", "False", "FALSE", "")
    return query_values.boolean(key, value)


def _times(resource: str, key: str, value: str) -> Clause:
    """The condition of `op:time`, several joined by commas."""
    found = []
    for part in value.split(","):
        operator, _, text = part.partition(":")
        try:
            if operator not in _COMPARISONS:
                raise ValueError(operator)
            time = datetime.datetime.fromisoformat(text)
            if time.tzinfo is not None:
                time = time.astimezone(datetime.UTC).replace(tzinfo=None)
        except (ValueError, OverflowError) as error:
            raise errors.InvalidInput(reason=(
                f"The filter {key} takes op:time with one of {', '.join(_COMPARISONS)} and an ISO 8601 time, "
                f"not '{part[:100]}'.")) from error
        found.append(filtering.compared(resource, key, _COMPARISONS[operator], time))
    return filtering.all_of(found)


def dictionary(text: str) -> dict[str, Any] | None:
    """The pairs of a filter that is a dictionary such as {'k': 'v'}, with either quotes; None for any other text."""
    try:
        value = _literal(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or not all(_storable(f"{name}{one}") for name, one in value.items()):
        return None
    return {str(name): one for name, one in value.items()}
