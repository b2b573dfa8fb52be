"""The API of Cinder in one process: requests are lines of JSON. Runs with the Python of .tox/cinder.

    cinder_api.py DIRECTORY

The database is an in-memory SQLite. Messages are discarded, so accepted requests are never executed. The first output
line is a list of the minor versions at which any schema begins or ends. An input line is a list of requests [method,
path with query, version, body, whether the requester is an administrator]. Its output line is a list of [status,
response, schemas that validated the body].
"""

import io
import json
import os
import sys

PROJECT = "a" * 32
CONFIG = """
[DEFAULT]
state_path = {path}
host = ctl1
transport_url = fake:
rpc_response_timeout = 1
auth_strategy = noauth_include_project_id
api_paste_config = {environment}/etc/cinder/api-paste.ini
resource_query_filters_file = {environment}/etc/cinder/resource_filters.json
enabled_backends = one
quota_volumes = -1
quota_gigabytes = -1
quota_snapshots = -1
quota_groups = -1
quota_backups = -1
log_file = {path}/log
[database]
connection = sqlite://
[oslo_concurrency]
lock_path = {path}
[oslo_policy]
policy_file = {path}/policy.yaml
"""
_schemas = []
_minors = set()


def load(path):
    """The WSGI application on an empty database."""
    with open(os.path.join(path, "policy.yaml"), "w") as out:
        out.write("{}")
    config = os.path.join(path, "cinder.conf")
    with open(config, "w") as out:
        out.write(CONFIG.format(path=path, environment=sys.prefix))
    _watch_versions()
    from cinder import objects, rpc, service  # noqa: F401 - registers options
    from cinder.common import config as options  # noqa: F401 - registers options
    from cinder.db import migration
    from oslo_config import cfg
    from oslo_log import log
    from oslo_service import wsgi

    log.register_options(cfg.CONF)
    cfg.CONF(["--config-file", config], project="cinder")
    log.setup(cfg.CONF, "cinder")
    objects.register_all()
    migration.db_sync()
    rpc.init(cfg.CONF)
    _watch()
    return wsgi.Loader(cfg.CONF).load_app("osapi_volume")


def _watch_versions():
    """Note the minor versions of schemas, before the controllers that name them are imported."""
    from cinder.api import validation

    made = validation.schema

    def note(schema, min_version=None, max_version=None):
        _minors.update(int(version.split(".")[1]) + after for version, after in ((min_version, 0), (max_version, 1))
                       if version)
        return made(schema, min_version, max_version)

    validation.schema = note


def _watch():
    """Note which schemas are used; let members ask where nobody could say who they are; wait for no service's
    answer."""
    import oslo_messaging
    from cinder import context
    from cinder.api.validation import validators
    from oslo_messaging.rpc import client

    made = validators._SchemaValidator.__init__

    def note(self, schema, *rest):
        _schemas.append(schema)
        made(self, schema, *rest)

    validators._SchemaValidator.__init__ = note
    from_environ = context.RequestContext.from_environ

    def who(environ, **given):
        if environ["tests.member"]:
            given |= {"is_admin": False, "roles": ["member", "reader"]}
        return from_environ(environ, **given)

    context.RequestContext.from_environ = who

    def call(*_arguments, **_named):
        raise oslo_messaging.MessagingTimeout("nobody is there")

    client._BaseCallContext.call = call


def ask(application, method, path, version, body, admin):
    """[status, document or text, schemas]"""
    raw = b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    answered = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": f"/v3/{PROJECT}{path}", "QUERY_STRING": query, "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8776", "HTTP_HOST": "127.0.0.1:8776", "wsgi.url_scheme": "http",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0), "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(raw)), "tests.member": not admin,
        "HTTP_X_AUTH_TOKEN": f"tester:{PROJECT}", "HTTP_OPENSTACK_API_VERSION": f"volume {version}"}
    if raw:
        environ["CONTENT_TYPE"] = "application/json"
    _schemas.clear()
    out = b"".join(application(environ, lambda status, headers, _=None: answered.append(int(status.split()[0]))))
    try:
        document = json.loads(out)
    except ValueError:
        document = out.decode(errors="replace")
    return answered[-1], document, _schemas[:]


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    application = load(sys.argv[1])
    _write(out, sorted(_minors))
    for line in sys.stdin:
        _write(out, [ask(application, *one) for one in json.loads(line)])


def _write(out, document):
    out.write(json.dumps(document, default=list) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
