"""Defines views: they render the rows that handlers return, with the fields of the request's version."""

import bisect
import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

from cinder_lite.api import versions
from cinder_lite.api.request import Request

FIRST, NEVER = "3.0", None
#: A row of a resource: its columns are attributes. Drivers' findings are dicts.
Row = Any
#: Renders the result of a handler, or one row of it.
Renderer = Callable[[Any, Request], Any]


def served_at(since: str, until: str | None, version: versions.Version) -> bool:
    return versions.number(since) <= version and (until is None or version <= versions.number(until))


@dataclasses.dataclass(frozen=True)
class Field:
    """A key of a view.

    `get` is a function of (row, req), or the name of the row's attribute; None means the attribute of the same name.
    `policy` names a rule that must allow the field for the row's project, or the requester's if the row has none.
    `when` is a function of (row, req) for a field that only some rows have.
    """

    name: str
    get: Renderer | str | None = None
    since: str = FIRST
    until: str | None = NEVER
    policy: str | None = None
    when: Callable[[Row, Request], bool] | None = None

    def served_at(self, version: versions.Version) -> bool:
        return served_at(self.since, self.until, version)


class View:
    """Renders rows as the fields that the request's version has and the requester may see.

    A plain name stands for the field of that name; the fields of another view are included by `*view.fields`.
    """

    def __init__(self, *fields: Field | str) -> None:
        self.fields = tuple(Field(field) if isinstance(field, str) else field for field in fields)
        self.breaks = sorted({versions.number(field.since) for field in self.fields}
                             | {(major, minor + 1) for major, minor in (
                                 versions.number(field.until) for field in self.fields if field.until)})
        self._rules = tuple({field.policy for field in self.fields if field.policy is not None})
        self._renderers: dict[tuple[int, frozenset[str]], _FieldRenderer] = {}

    def at(self, version: versions.Version) -> tuple[Field, ...]:
        """The fields of that version."""
        return tuple(field for field in self.fields if field.served_at(version))

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        # The rows of a page are of few projects: which fields are shown is decided once per project.
        project = row.project_id if hasattr(row, "project_id") else req.ctx.project_id
        found = req.renderers.get((self, project))
        if found is None:
            found = req.renderers[self, project] = self._renderer(req, project)
        return found(row, req)

    def _renderer(self, req, project):
        allowed = frozenset(rule for rule in self._rules if req.allows(rule, project))
        key = bisect.bisect_right(self.breaks, req.version), allowed
        if key not in self._renderers:
            self._renderers[key] = _FieldRenderer([
                field for field in self.at(req.version) if field.policy is None or field.policy in allowed])
        return self._renderers[key]


class _FieldRenderer:
    """Renders rows as a fixed set of fields: plain columns all at once, the rest one by one."""

    def __init__(self, fields: Sequence[Field]) -> None:
        plain = [field for field in fields if not callable(field.get) and field.when is None]
        self.names = [field.name for field in plain]
        columns: list[Any] = [field.get or field.name for field in plain]
        get: Callable[[Row], Any] | None = operator.attrgetter(*columns) if columns else None
        self.values = get if get and len(columns) > 1 else (lambda row: (get(row),) if get else ())
        self.computed = [(field.name, field.get, field.when) for field in fields
                         if callable(field.get) or field.when is not None]

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        shown = dict(zip(self.names, self.values(row), strict=True))
        for name, get, when in self.computed:
            if when is None or when(row, req):
                shown[name] = get(row, req) if callable(get) else getattr(row, get or name)
        return shown


@dataclasses.dataclass(frozen=True)
class One:
    """Renders {key: the row}."""

    key: str
    view: Renderer

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        return {self.key: self.view(row, req)}


def text(value: str, _req: Request) -> bytes:
    """The view of a plain text."""
    return value.encode()


def plain(document: Any, _req: Request) -> Any:
    """The view of a document that the handler has rendered itself."""
    return document
