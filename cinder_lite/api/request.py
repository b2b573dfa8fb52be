"""What a handler gets: the request, read and checked, and the domains that it may call."""

import functools
import urllib.parse

import webob

from cinder_lite import errors, states
from cinder_lite.api import proxies, versions, words
from cinder_lite.api.body import MOST
from cinder_lite.db.listing import Paging

#: Query keys that page and sort a list; the others are filters.
PAGING_KEYS = frozenset(("limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants"))


class Request:
    """One request at work. The path's arguments (volume_id, ...) are attributes of it.

    `ctx` is who asks, `version` the microversion, `body` the checked document's inner part, `app` the application with
    its domains (`volumes`, `snapshots`, `backups`, ...), `db` and `conf`.
    """

    def __init__(self, environ, app):
        self.http = webob.Request(environ)
        self.app, self.db, self.conf = app, app.db, app.conf
        self.ctx, self.version, self.body, self.document = None, versions.MINIMUM, None, None
        self.project_in_path, self.route = None, None
        self.headers = []
        self.showing = {}

    def __getattr__(self, name):
        # The domains, so that a handler says req.volumes.extend(...).
        return getattr(self.app.domains, name)

    def at(self, version):
        """Whether the request's microversion is that one or later."""
        return self.version >= versions.number(version)

    def allows(self, rule, project_id):
        """Whether the asker may do what `rule` guards on a resource of that project."""
        return self.app.policy.allows(self.ctx, rule, project_id)

    def sees_insides(self, project_id=None):
        """Whether the requester may see hosts, pools and capacities, in what belongs to that project."""
        return self.ctx is not None and self.allows(
            "volume_extension:volume_host_attribute", project_id or self.ctx.project_id)

    def enforce(self, rule, project_id=None):
        """Raise PolicyNotAuthorized unless the asker may."""
        if not self.allows(rule, project_id or self.ctx.project_id):
            raise errors.PolicyNotAuthorized(rule=rule)

    # -- query

    @property
    def query(self):
        return self.http.GET

    def flag(self, name, default=False):
        """A boolean of the query. Raises BadRequest for a word that is none."""
        value = self.query.get(name)
        return default if value is None else words.boolean(name, value)

    @property
    def all_projects(self):
        """Whether an administrator asked for every project's resources."""
        return self.ctx.is_admin and words.is_true(self.query.get("all_tenants"))

    def check_all_tenants(self):
        """Refuse an administrator's all_tenants that is no boolean word. Others may not use it, so theirs is dropped."""
        if self.ctx.is_admin:
            self.flag("all_tenants")

    def filters(self):
        """The query's filters: {key: text}."""
        return {key: value for key, value in self.query.items() if key not in PAGING_KEYS}

    def paging(self, name_since="3.0"):
        """The page that the query asks for; it can be sorted by name from `name_since` on. Raises BadRequest."""
        most = self.conf.osapi_max_limit
        limit = self._natural("limit")
        sort = self._sort(name_since)
        return Paging(limit=most if limit is None else min(limit, most), marker=self.query.get("marker"),
                      offset=self._natural("offset", MOST) or 0, sort=sort)

    def _natural(self, name, most=None):
        value = self.query.get(name)
        return None if value is None else words.natural(name, value, most)

    def _sort(self, name_since):
        both = self.query.get("sort")
        keys, directions = self.query.getall("sort_key"), self.query.getall("sort_dir")
        if both is not None:
            if keys or directions:
                raise errors.InvalidInput(reason="'sort_key' and 'sort_dir' cannot be used together with 'sort'.")
            pairs = [part.strip().partition(":")[::2] for part in both.split(",") if part.strip()]
        else:
            keys = keys or (["created_at"] if directions else [])
            if len(directions) > len(keys):
                raise errors.InvalidInput(reason="There are more values of sort_dir than of sort_key.")
            # Keys without a direction of their own take the first.
            directions += (directions[:1] or ["desc"]) * (len(keys) - len(directions))
            pairs = list(zip(keys, directions, strict=True))
        sort = tuple((_SORT_NAMES.get(key.strip(), key.strip()), (direction or "desc").strip().lower())
                     for key, direction in pairs)
        if not self.at(name_since) and any(key.strip() == "name" for key, _ in pairs):  # display_name was there before
            raise errors.InvalidInput(reason=f"Invalid sort key: 'name'. It needs microversion {name_since}.")
        for _, direction in sort:
            if direction not in ("asc", "desc"):
                raise errors.InvalidInput(reason=f"A sort direction is asc or desc, not '{direction[:50]}'.")
        return sort

    # -- where it comes from

    @property
    def client_address(self):
        """The address of the client, as text."""
        if self._behind_proxy:
            return proxies.client_address(self.http.environ, self.conf)
        return self.http.environ.get("REMOTE_ADDR") or proxies.UNKNOWN

    @property
    def _behind_proxy(self):
        """Whether the settings let proxies say where requests come from."""
        return self.conf.oslo_middleware.enable_proxy_headers_parsing

    # -- links

    @functools.cached_property
    def root(self):
        """The URL of the service's root, as the client sees it."""
        return proxies.root(self.http, self.conf) if self._behind_proxy or self.conf.public_endpoint else self.http.host_url

    @functools.cached_property
    def prefix(self):
        """What the path of a resource begins with: the project, when the request named it."""
        return f"/{self.project_in_path}" if self.project_in_path else ""

    def links(self, collection, id):
        """The self and bookmark links of a resource."""
        tail = f"{self.prefix}/{collection}/{id}"
        return [{"rel": "self", "href": f"{self.root}/v3{tail}"}, {"rel": "bookmark", "href": self.root + tail}]

    def next_link(self, marker):
        """This request's URL with another marker."""
        query = [(key, value) for key, value in self.query.items() if key != "marker"] + [("marker", marker)]
        return f"{self.root}{self.http.path}?{urllib.parse.urlencode(query)}"

    def shown(self, status):
        """A status in the word that clients know."""
        return states.SHOWN.get(status, status)


_SORT_NAMES = {"display_name": "name", "display_description": "description"}
