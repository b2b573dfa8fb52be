"""Options of the API service."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.HostAddressOpt("osapi_volume_listen", default="127.0.0.1", help="Address on which the API listens."),
        cfg.PortOpt("osapi_volume_listen_port", default=8776, help="Port on which the API listens."),
        cfg.IntOpt("osapi_volume_workers", default=1, min=1, max=1000, help="Number of API worker processes."),
        cfg.IntOpt("osapi_volume_threads", default=100, min=1, max=1000,
                   help="Maximum number of requests that one worker handles concurrently."),
        cfg.IntOpt("osapi_volume_connections", default=1000, min=10,
                   help="Maximum number of client connections of one worker."),
        cfg.IntOpt("client_request_timeout", default=60, min=1,
                   help="Seconds within which a client must send a whole request, headers and body. After that the "
                        "request is answered with 408."),
        cfg.IntOpt("osapi_response_timeout", default=120, min=1,
                   help="Seconds within which a request is answered: the calls of other services that are made for it, "
                        "one after another, wait for what is left of them."),
        cfg.StrOpt("auth_strategy", default="noauth", choices=["noauth", "http_basic", "keystone"],
                   help="How requests are authenticated. noauth accepts the token 'user:project' without a check and "
                        "treats everybody as an administrator; it is refused on other addresses than loopback unless "
                        "allow_noauth_anywhere is set. http_basic checks a user name and a password against "
                        "http_basic_auth_user_file. keystone validates tokens as configured in [keystone_authtoken]."),
        cfg.StrOpt("http_basic_auth_user_file", default="/etc/cinder/htpasswd",
                   help="File of user names and bcrypt password hashes, as written by: htpasswd -nbB NAME PASSWORD."),
        cfg.StrOpt("http_basic_auth_roles_file", default="/etc/cinder/htroles",
                   help="File with the project and roles (reader, member, admin, service) of each user, in lines "
                        "NAME:PROJECT:ROLE,ROLE."),
        cfg.BoolOpt("allow_noauth_anywhere", default=False, help="Allow noauth on other addresses than loopback."),
        cfg.IntOpt("osapi_max_limit", default=1000, min=1, mutable=True,
                   help="Maximum number of items in one page of a list."),
        cfg.IntOpt("osapi_max_request_body_size", default=114688, min=1024,
                   help="Maximum size of a request body, in bytes."),
        cfg.ListOpt("trusted_proxies", default=[],
                    help="Addresses or networks of proxies whose X-Forwarded-* and Forwarded headers are trusted when "
                         "[oslo_middleware] enable_proxy_headers_parsing is enabled. If empty, those of every client "
                         "are."),
        cfg.StrOpt("public_endpoint", help="Base URL of the links in responses. Default: the URL of the request."),
        cfg.StrOpt("default_group_type", help="Group type that is shown as the default."),
        cfg.StrOpt("default_volume_type", default="__DEFAULT__",
                   help="Type of volumes that are created without a type."),
        cfg.StrOpt("resource_query_filters_file",
                   help="JSON file of the filters that lists accept. Default: the table in api/filters.py."),
        cfg.BoolOpt("cloned_volume_same_az", default=True,
                    help="Create clones in the availability zone of their source."),
        cfg.IntOpt("max_volume_size", default=262144, min=1, mutable=True, help="Maximum size of a volume, in GiB."),
    ],
    "oslo_middleware": [
        cfg.BoolOpt("enable_proxy_headers_parsing", default=False,
                    help="Use X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto and Forwarded for the client's "
                         "address in the log and in the limits of failed logins, and for the URL in links. Enable it "
                         "only behind a proxy that sets these headers itself."),
    ],
    "healthcheck": [
        cfg.StrOpt("disable_by_file_path",
                   help="While this file exists, /healthcheck returns 503, so that load balancers stop sending "
                        "requests to this host. Default: none."),
        cfg.IntOpt("stop_delay", default=0, min=0,
                   help="Seconds for which an API that is stopped goes on serving while /healthcheck returns 404, so "
                        "that load balancers send requests elsewhere before it accepts no more connections."),
    ],
    "key_manager": [
        cfg.StrOpt("fixed_key", secret=True,
                   help="Key, in hexadecimal digits, of all volumes of encrypted types; Nova needs the same key. "
                        "Without it such volumes cannot be created."),
    ],
}
