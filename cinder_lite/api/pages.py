"""Builds and renders pages of lists, and looks up metadata keys, for the handlers of several resources."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cinder_lite import errors
from cinder_lite.api.filters import COUNT_SINCE
from cinder_lite.api.request import Request
from cinder_lite.api.view import Renderer, Row
from cinder_lite.db.listing import Paging


@dataclasses.dataclass(frozen=True)
class Page:
    """Rows of a list; with `more` the response has a link to the next page. `count` is the length of the whole list."""

    rows: Sequence[Row]
    more: bool = False
    count: int | None = None


@dataclasses.dataclass(frozen=True)
class Many:
    """Renders the Page that a handler returns as {key: rows, links: [next], count: n}."""

    key: str
    view: Renderer
    links: str | None = None

    def __call__(self, page: Page, req: Request) -> dict[str, Any]:
        rendered: dict[str, Any] = {self.key: [self.view(row, req) for row in page.rows]}
        if page.count is not None:
            rendered["count"] = page.count
        if self.links and page.more:
            rendered[self.links] = [{"rel": "next", "href": req.next_link(page.rows[-1].id)}]
        return rendered


def read(req: Request, query: Callable[..., Sequence[Row]], where: Any, visible: Any,
         count: Callable[..., int] | None = None, paging: Paging | None = None) -> Page:
    """The page of query(tx, where, paging, visible) that the request asks for.

    count(tx, where, visible) is the number of rows on all pages, for resources that have a count.
    """
    paging = req.paging() if paging is None else paging
    with req.db.read() as tx:
        rows = query(tx, where, paging, visible)
        number = count(tx, where, visible) if count is not None and wants_count(req) else None
    return page(rows, paging, number)


def wants_count(req: Request) -> bool:
    """Whether the request asks for the number of rows on all pages together."""
    return req.at(COUNT_SINCE) and req.flag("with_count")


def page(rows: Sequence[Row], paging: Paging, count: int | None = None) -> Page:
    """A page; a full one has a link to the next.

    Clients compare a count with the limit, so with a count that decides about the link.
    """
    return Page(rows, bool(rows) and paging.limit <= (len(rows) if count is None else count), count)


def metadata_value(metadata: Mapping[str, Any], key: str, kind: str, id: str) -> Any:
    """The value of the key. Raises MetadataNotFound."""
    if key not in metadata:
        raise errors.MetadataNotFound(key=key, kind=kind, id=id)
    return metadata[key]


def without_key(metadata: Mapping[str, Any], key: str, kind: str, id: str) -> dict[str, Any]:
    """The metadata without that key. Raises MetadataNotFound."""
    metadata_value(metadata, key, kind, id)
    return {name: value for name, value in metadata.items() if name != key}


def expect_same_key(req: Request, given: Mapping[str, Any]) -> None:
    """Raise BadRequest for a mapping of a body whose key is not the one of the path."""
    if req.key not in given:
        raise errors.BadRequest(f"The key in the body must be the one in the path, '{req.key}'.")
