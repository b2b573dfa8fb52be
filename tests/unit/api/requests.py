"""Requests for unit tests of the API, without an application."""

import types

from cinder_lite import context
from cinder_lite.api import request, versions


def asked(query="", version="3.71", admin=True, **conf):
    """The Request of GET /v3/volumes?query."""
    options = {"osapi_max_limit": 1000, "public_endpoint": None, "trusted_proxies": [],
               "oslo_middleware": types.SimpleNamespace(enable_proxy_headers_parsing=False), **conf}
    app = types.SimpleNamespace(db=None, conf=types.SimpleNamespace(**options), domains=types.SimpleNamespace())
    req = request.Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/v3/volumes", "SCRIPT_NAME": "",
                           "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8776",
                           "HTTP_HOST": "127.0.0.1:8776",
                           "wsgi.url_scheme": "http"}, app)
    req.version = versions.number(version)
    req.ctx = context.Context(is_admin=admin, project_id="a1", user_id="tester", overwrite=False)
    return req
