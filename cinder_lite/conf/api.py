"""Options of the API service."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.HostAddressOpt("osapi_volume_listen", default="127.0.0.1", help="Address on which the API listens."),
        cfg.PortOpt("osapi_volume_listen_port", default=8776, help="Port on which the API listens."),
        cfg.IntOpt("osapi_volume_workers", default=1, min=1, help="Number of API worker processes."),
        cfg.IntOpt("osapi_volume_threads", default=100, min=1, help="Requests that one worker handles at a time."),
        cfg.IntOpt("osapi_volume_connections", default=1000, min=10, help="Connections that one worker holds at a time."),
        cfg.IntOpt("client_request_timeout", default=60, min=1,
                   help="Seconds in which a client must have sent a request, head and body; later it is answered 408."),
        cfg.StrOpt("auth_strategy", default="noauth", choices=["noauth", "http_basic", "keystone"],
                   help="Who is believed: noauth takes the token 'user:project' at its word, as an administrator; "
                        "it is refused on other addresses than loopback unless allow_noauth_anywhere is set. "
                        "http_basic asks for a name and a password of http_basic_auth_user_file. keystone validates "
                        "tokens as [keystone_authtoken] says."),
        cfg.StrOpt("http_basic_auth_user_file", default="/etc/cinder/htpasswd",
                   help="Names and passwords, as htpasswd writes them with bcrypt: htpasswd -nbB NAME PASSWORD."),
        cfg.StrOpt("http_basic_auth_roles_file", default="/etc/cinder/htroles",
                   help="The project and roles (reader, member, admin, service) of each user: lines NAME:PROJECT:ROLE,ROLE."),
        cfg.BoolOpt("allow_noauth_anywhere", default=False, help="Serve noauth on other addresses than loopback."),
        cfg.IntOpt("osapi_max_limit", default=1000, min=1, mutable=True, help="The longest page of a list."),
        cfg.IntOpt("osapi_max_request_body_size", default=114688, min=1024, help="Largest request body, in bytes."),
        cfg.ListOpt("trusted_proxies", default=[],
                    help="Addresses or networks of proxies whose X-Forwarded-* and Forwarded headers are believed when "
                         "[oslo_middleware] enable_proxy_headers_parsing is on; empty: those of everybody who connects."),
        cfg.StrOpt("public_endpoint", help="URL that links in answers begin with, when it differs from the request's."),
        cfg.StrOpt("default_group_type", help="Group type that is shown as the default."),
        cfg.StrOpt("default_volume_type", default="__DEFAULT__", help="Type of volumes that ask for none."),
        cfg.StrOpt("resource_query_filters_file",
                   help="JSON file of the filters that lists accept; default: the table in api/filters.py."),
        cfg.BoolOpt("cloned_volume_same_az", default=True, help="Keep clones in their source's availability zone."),
        cfg.IntOpt("max_volume_size", default=262144, min=1, mutable=True, help="Largest volume that can be asked for, in GiB."),
    ],
    "oslo_middleware": [
        cfg.BoolOpt("enable_proxy_headers_parsing", default=False,
                    help="Believe what a proxy says in X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto and Forwarded: the "
                         "client's address in the log and for the limits of logins, and the URL in links. Switch it on "
                         "only behind a proxy that sets these headers itself."),
    ],
    "healthcheck": [
        cfg.StrOpt("disable_by_file_path", help="While this file is there, /healthcheck answers 503, so that load balancers "
                                                "send nothing more to this host. Default: none."),
    ],
    "key_manager": [
        cfg.StrOpt("fixed_key", secret=True,
                   help="The key, in hexadecimal digits, of all volumes of encrypted types; Nova needs the same. "
                        "Without it volumes of such types are refused."),
    ],
}
