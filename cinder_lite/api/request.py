"""Represents a request for handlers: parsed and validated, with access to the domain objects that they call."""

import functools
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import webob

from cinder_lite import context, errors
from cinder_lite.api import proxies, query_values, versions
from cinder_lite.api.body_formats import MAX_INTEGER
from cinder_lite.db.listing import Paging

if TYPE_CHECKING:
    from cinder_lite.api.app import Application
    from cinder_lite.api.route import Route

#: Query keys that page and sort a list; the others are filters.
PAGING_KEYS = frozenset(("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants"))
_SORT_NAMES = {"display_name": "name", "display_description": "description"}


class Request:
    """One request in progress. The path's arguments (volume_id, ...) are attributes of it.

    `ctx` is the requester, None until it is authenticated; `version` the microversion; `document` the validated body,
    `body` its inner part; `app` the application with its domains (`volumes`, `snapshots`, `backups`, ...), `db` and
    `conf`. `headers` are added to the response, `renderers` caches the fields that a view shows for each project.
    """

    # Handlers set these for the views, which show them beside the columns of the rows.
    #: volume id -> its attachments
    attached: Mapping[str, Sequence[Any]]
    #: ids of groups that are consistency groups
    consistency_groups: Collection[str]
    #: group id -> ids of its volumes; None where they are not requested
    members: Mapping[str, Sequence[str]] | None
    #: rows of services that the jobs of the response may wait for
    services: Sequence[Any]

    def __init__(self, environ: dict[str, Any], app: "Application") -> None:
        self.http = webob.Request(environ)
        self.app, self.db, self.conf = app, app.db, app.conf
        self.version = versions.MINIMUM
        # Handlers run for an authenticated requester only, so its type is the one that they get.
        self.ctx: context.Context = None  # type: ignore[assignment]
        self.body: Any = None
        self.document: Any = None
        self.project_in_path: str | None = None
        self.route: Route | None = None
        self.headers: list[tuple[str, str]] = []
        self.renderers: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        # A handler calls req.volumes.extend(...): the domains are found here.
        return getattr(self.app.domains, name)

    def at(self, version: str) -> bool:
        """Whether the request's microversion is that one or later."""
        return self.version >= versions.number(version)

    def allows(self, rule: str, project_id: str | None) -> bool:
        """Whether the policy rule allows the requester its operation on a resource of that project."""
        return self.app.policy.allows(self.ctx, rule, project_id)

    def sees_internals(self, project_id: str | None = None) -> bool:
        """Whether the requester may see hosts, pools and capacities of resources of that project."""
        return self.ctx is not None and self.allows(
            "volume_extension:volume_host_attribute", project_id or self.ctx.project_id)

    def enforce(self, rule: str, project_id: str | None = None) -> None:
        """Raise PolicyNotAuthorized unless the rule allows it."""
        if not self.allows(rule, project_id or self.ctx.project_id):
            raise errors.PolicyNotAuthorized(rule=rule)

    # -- query

    @property
    def query(self) -> webob.multidict.GetDict:
        return self.http.GET

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean of the query. Raises InvalidInput for a value that is no boolean."""
        value = self.query.get(name)
        return default if value is None else query_values.boolean(name, value)

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
        if not self.at(name_since) and any(key.strip() == "name" for key, _ in pairs):
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

    # -- the client's address

    @property
    def client_address(self) -> str:
        """The address of the client, as text."""
        if self._behind_proxy:
            return proxies.client_address(self.http.environ, self.conf)
        return self.http.environ.get("REMOTE_ADDR") or proxies.UNKNOWN

    @property
    def _behind_proxy(self) -> bool:
        """Whether the configuration accepts the headers of proxies."""
        return self.conf.oslo_middleware.enable_proxy_headers_parsing

    # -- links

    @functools.cached_property
    def root(self) -> str:
        """The URL of the service's root, as the client sees it."""
        if self._behind_proxy or self.conf.public_endpoint:
            return proxies.root(self.http, self.conf)
        return self.http.host_url

    @functools.cached_property
    def prefix(self) -> str:
        """The beginning of a resource's path: the project, if the request's path has it."""
        return f"/{self.project_in_path}" if self.project_in_path else ""

    def links(self, collection: str, id: str) -> list[dict[str, str]]:
        """The self and bookmark links of a resource."""
        tail = f"{self.prefix}/{collection}/{id}"
        return [{"rel": "self", "href": f"{self.root}/v3{tail}"}, {"rel": "bookmark", "href": self.root + tail}]

    def next_link(self, marker: str) -> str:
        """This request's URL with another marker."""
        query = [(key, value) for key, value in self.query.items() if key != "marker"] + [("marker", marker)]
        return f"{self.root}{self.http.path}?{urllib.parse.urlencode(query)}"
