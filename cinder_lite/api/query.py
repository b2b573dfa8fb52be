"""Interprets the query string of a request: flags, filters, paging and sorting."""

import webob
from oslo_config import cfg

from cinder_lite import context, errors
from cinder_lite.api import query_values, versions
from cinder_lite.api.body_formats import MAX_INTEGER
from cinder_lite.db.listing import Paging

#: Query keys that page and sort a list; the others are filters.
PAGING_KEYS = frozenset(("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants"))
_SORT_NAMES = {"display_name": "name", "display_description": "description"}


class Query:
    """The part of a request that concerns its query string."""

    http: webob.Request
    conf: cfg.ConfigOpts
    ctx: context.Context
    version: versions.Version

    @property
    def query(self) -> webob.multidict.GetDict:
        return self.http.GET

    def flag(self, name: str) -> bool:
        """A boolean of the query, False by default. Raises InvalidInput for a value that is no boolean."""
        value = self.query.get(name)
        return value is not None and query_values.boolean(name, value)

    @property
    def all_projects(self) -> bool:
        """Whether an administrator requests the resources of every project."""
        return bool(self.ctx.is_admin) and query_values.is_true(self.query.get("all_tenants"))

    def check_all_tenants(self) -> None:
        """Raise InvalidInput for an administrator's all_tenants that is no boolean; it is ignored for all others."""
        if self.ctx.is_admin:
            self.flag("all_tenants")

    def filters(self) -> dict[str, str]:
        """The query's filters: {key: text}."""
        return {key: value for key, value in self.query.items() if key not in PAGING_KEYS}

    def paging(self, name_since: str = "3.0") -> Paging:
        """The page that the query requests; it can be sorted by name from `name_since` on. Raises InvalidInput."""
        maximum = self.conf.osapi_max_limit
        limit = self._natural("limit")
        sort = self._sort(name_since)
        return Paging(limit=maximum if limit is None else min(limit, maximum), marker=self.query.get("marker"),
                      offset=self._natural("offset", MAX_INTEGER) or 0, sort=sort)

    def _natural(self, name: str, maximum: int | None = None) -> int | None:
        value = self.query.get(name)
        return None if value is None else query_values.natural(name, value, maximum)

    def _sort(self, name_since: str) -> tuple[tuple[str, str], ...]:
        pairs = self._sort_pairs()
        sort = tuple((_SORT_NAMES.get(key.strip(), key.strip()), (direction or "desc").strip().lower())
                     for key, direction in pairs)
        # display_name could be used before.
        if self.version < versions.number(name_since) and any(key.strip() == "name" for key, _ in pairs):
            raise errors.InvalidInput(reason=f"Invalid sort key: 'name'. It needs microversion {name_since}.")
        for _, direction in sort:
            if direction not in ("asc", "desc"):
                raise errors.InvalidInput(reason=f"A sort direction is asc or desc, not '{direction[:50]}'.")
        return sort

    def _sort_pairs(self) -> list[tuple[str, str]]:
        """(key, direction or "") as the query has them, in `sort` or in `sort_key` and `sort_dir`."""
        both = self.query.get("sort")
        keys, directions = self.query.getall("sort_key"), self.query.getall("sort_dir")
        if both is not None:
            if keys or directions:
                raise errors.InvalidInput(reason="'sort_key' and 'sort_dir' cannot be used together with 'sort'.")
            return [part.strip().partition(":")[::2] for part in both.split(",") if part.strip()]
        keys = keys or (["created_at"] if directions else [])
        if len(directions) > len(keys):
            raise errors.InvalidInput(reason="There are more values of sort_dir than of sort_key.")
        # Keys without a direction of their own take the first.
        directions += (directions[:1] or ["desc"]) * (len(keys) - len(directions))
        return list(zip(keys, directions, strict=True))
