"""Represents a request for handlers: parsed and validated, with access to the domain objects that they call."""

import functools
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import webob

from cinder_lite import context, errors
from cinder_lite.api import proxies, versions
from cinder_lite.api.query import Query

if TYPE_CHECKING:
    from cinder_lite.api.app import Application
    from cinder_lite.api.route import Route


class Request(Query):
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

    def __init__(self, environ: dict[str, Any], app: "Application", request_id: str = "") -> None:
        self.http = webob.Request(environ)
        self.app, self.db, self.conf, self.request_id = app, app.db, app.conf, request_id
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
