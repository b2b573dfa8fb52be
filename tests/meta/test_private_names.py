"""Private names of other libraries: one module for each library, an upper bound of its version, and a check of each
name.

A name is private here when it begins with one underscore, or when the library gives no documentation of it:
REACHED_INTO lists the former, which the test finds in the source by itself, and SHAPES what both of them have to
look like.
"""

import ast
import configparser
import dataclasses
import functools
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import textwrap

import pytest

import cinder_lite
from tests.meta import source


@dataclasses.dataclass(frozen=True)
class Reach:
    """The one module that uses private names of a library, the names, and why nothing public will do."""

    module: str
    names: frozenset[str]
    reason: str


def reach(module, names, reason):
    return Reach(f"cinder_lite/{module}", frozenset(names.split()), reason)


#: Package (as setup.cfg has it) -> what is used of it.
REACHED_INTO = {
    "PyMySQL": reach("db/drivers.py", "_read_timeout",
                     "the limit of the server's greeting is that of statements, and no public call changes it"),
    "keystonemiddleware": reach("api/auth/keystone.py", "_identity_server",
                                "no public call bounds those that wait for Keystone, beside cached tokens"),
    "oslo.config": reach("conf/unread.py", "_opts _groups", "no public call lists the options that are registered"),
    "oslo.context": reach("concurrency/thread_calls.py", "_request_store",
                          "a context can be set for a thread by its own method, but none removes it"),
    "oslo.messaging": reach(
        "rpc/oslo_internals.py",
        "_drivers _metrics _tracing _driver _connection_pool _get_reply_q _send_notification _on_incoming "
        "_process_incoming",
        "drivers are an extension point whose base classes are private; connections, the queue of answers, errors of "
        "notifications, a listener's first wait and the thread of a cast have no public call"),
    "oslo.policy": reach("api/enforcer.py", "_checks",
                         "no public call sets the checks that rules can use besides the library's own"),
    "oslo.privsep": reach("host/privsep.py", "_ClientChannel",
                          "the public channels start the helper, which socket activation has started here"),
    "python-cinderclient": reach("client/shell.py", "_append_global_identity_args",
                                 "a hook in which options that two libraries declare can be allowed"),
    "taskflow": reach("volume/flows/engine.py",
                      "_lock _with_connection _atomdetail_by_name _runtime _validated",
                      "an engine that is compiled once, and whose storage is not saved, takes a fifth of the time"),
    "waitress": reach("concurrency/http_waitress.py", "_sock", "a server's subclass for a socket that listens already"),
}
#: The same of Python's library, which setup.cfg bounds for all.
OF_PYTHON = {
    "argparse": reach("client/batch.py", "_actions", "no public call lists a parser's arguments"),
    "logging": reach("concurrency/patching.py", "_lock", "eventlet has made it green, and native threads log as well"),
}
#: Names with an underscore that their libraries document: named tuples, rows of SQLAlchemy, ending a process at once,
#: and
#: the checks of an oslo.upgradecheck command.
DOCUMENTED = {"_fields", "_make", "_replace", "_asdict", "_mapping", "_exit", "_upgrade_checks"}
#: Libraries of which things without an underscore are used that they do not document.
UNDOCUMENTED = {"eventlet", "networkx"}

#: What has to look so: a signature, or the attributes that the methods of a class set or use.
SHAPES = {
    "keystonemiddleware.auth_token:AuthProtocol": {"_identity_server"},
    "pymysql.connections:Connection": {"_read_timeout"},
    "oslo_config.cfg:ConfigOpts": {"_opts", "_groups"},
    "oslo_config.cfg:OptGroup": {"_opts"},
    "oslo_context.context:get_current": "()",
    "oslo_messaging._drivers.base:BaseDriver.__init__": "(self, conf, url, default_exchange, allowed_remote_exmods)",
    "oslo_messaging._drivers.base:BaseDriver.send":
        "(self, target, ctxt, message, wait_for_reply, timeout, call_monitor_timeout, retry, transport_options)",
    "oslo_messaging._drivers.base:BaseDriver.send_notification": "(self, target, ctxt, message, version, retry)",
    "oslo_messaging._drivers.base:BaseDriver.listen": "(self, target, batch_size, batch_timeout)",
    "oslo_messaging._drivers.base:BaseDriver.listen_for_notifications":
        "(self, targets_and_priorities, pool, batch_size, batch_timeout)",
    "oslo_messaging._drivers.base:PollStyleListener.__init__": "(self, prefetch_size)",
    "oslo_messaging._drivers.base:PollStyleListener.poll": "(self, timeout, batch_size, batch_timeout)",
    "oslo_messaging._drivers.base:PollStyleListenerAdapter.__init__":
        "(self, poll_style_listener, batch_size, batch_timeout)",
    "oslo_messaging._drivers.base:RpcIncomingMessage.__init__": "(self, ctxt, message, msg_id)",
    "oslo_messaging._drivers.base:RpcIncomingMessage.reply": "(self, reply, failure)",
    "oslo_messaging._drivers.base:batch_poll_helper": "(func)",
    "oslo_messaging._drivers.amqpdriver:AMQPDriverBase": {"_connection_pool", "_get_reply_q"},
    "oslo_messaging._drivers.amqpdriver:AMQPDriverBase._get_reply_q": "(self)",
    "oslo_messaging._drivers.amqpdriver:AMQPListener": {"ACK_REQUEUE_EVERY_SECONDS_MIN"},
    "oslo_messaging._drivers.amqpdriver:ReplyWaiter": {"ACK_REQUEUE_EVERY_SECONDS_MIN"},
    "oslo_messaging.rpc.server:RPCServer.__init__": "(self, transport, target, dispatcher, executor)",
    "oslo_messaging.rpc.server:RPCServer._process_incoming": "(self, incoming)",
    "oslo_messaging.server:MessageHandlingServer._on_incoming": "(self, incoming)",
    "oslo_messaging._drivers.impl_rabbit:Connection.__init__": "(self, conf, url, purpose, retry)",
    "oslo_messaging._drivers.pool:ConnectionPool.__init__": "(self, conf, max_size, min_size, ttl, url, "
                                                            "connection_cls)",
    "oslo_messaging.transport:Transport": {"_driver"},
    "oslo_messaging.transport:Transport._send_notification": "(self, target, ctxt, message, version, retry)",
    "oslo_privsep.daemon:_ClientChannel.__init__": "(self, sock, context)",
    "oslo_privsep.priv_context:PrivContext": {"channel", "start_lock"},
    "cinderclient.shell:OpenStackCinderShell._append_global_identity_args": "(self, parser)",
    "taskflow.storage:Storage": {"_lock"},
    "taskflow.storage:Storage._with_connection": "(self, functor, args, kwargs)",
    "taskflow.storage:Storage._atomdetail_by_name": "(self, atom_name, expected_type, clone)",
    "taskflow.engines.action_engine.engine:ActionEngine": {"_runtime", "_validated"},
    "taskflow.engines.action_engine.engine:SerialActionEngine.__init__": "(self, flow, flow_detail, backend, options)",
    "waitress.server:BaseWSGIServer.__init__":
        "(self, application, map, _start, _sock, dispatcher, adj, sockinfo, bind_socket, kw)",
    "waitress.task:ThreadedTaskDispatcher": {"lock", "queue", "threads", "active_count", "stop_count"},
    "waitress.server:BaseWSGIServer": {"active_channels", "task_dispatcher", "trigger", "channel_class"},
    "waitress.channel:HTTPChannel": {"request", "requests", "total_outbufs_len", "close_when_flushed", "creation_time"},
    "waitress.parser:HTTPRequestParser": {"body_rcv", "body_bytes_received", "error", "completed", "path", "query"},
    "eventlet.wsgi:server":
        "(sock, site, log, environ, max_size, max_http_version, protocol, server_event, minimum_chunk_size, "
        "log_x_forwarded_for, custom_pool, keepalive, log_output, log_format, url_length_limit, debug, socket_timeout, "
        "capitalize_response_headers)",
    "eventlet.wsgi:HttpProtocol": {"environ", "close_connection", "conn_state", "handle_one_response"},
    "eventlet.wsgi:Input": {"content_length", "should_send_hundred_continue"},
}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_" and name not in DOCUMENTED


def defined(tree):
    """The names that a file defines: functions, classes, variables and attributes of its objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif _is_of_self(node) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _is_of_self(node):
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


@functools.cache
def defined_anywhere():
    return {name for module in source.modules("cinder_lite") for name in defined(module.tree)}


def reached(module):
    """The private names of others in a file: of imports, attributes, keyword arguments and of getattr and setattr."""
    own = set(defined(module.tree))
    ours = {alias.asname or alias.name for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("cinder_lite") for alias in node.names}
    for _, name in module.imports():
        if not name.startswith("cinder_lite"):
            yield from (part for part in name.split(".") if is_private(part))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            known = own | defined_anywhere() if _is_of_self(node) else own
            if node.attr not in known and not (isinstance(node.value, ast.Name) and node.value.id in ours):
                yield node.attr
        elif isinstance(node, ast.Call):
            yield from (word.arg for word in node.keywords if word.arg and is_private(word.arg) and word.arg not in own)
            if getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr", "delattr"):
                yield from (part.value for part in node.args[1:2] if isinstance(part, ast.Constant)
                            and is_private(part.value))


def of_class(kind):
    """The private names that the source of a class defines or uses of its objects."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    used = {node.attr for node in ast.walk(tree) if _is_of_self(node)}
    return {name for name in used.union(defined(tree)) if is_private(name)}


def classes():
    """Every class of the package that can be imported here: some modules act when they are, and two libraries are
    Debian's."""
    for found in pkgutil.walk_packages(cinder_lite.__path__, "cinder_lite."):
        if ".migrations." in found.name or found.name in ("cinder_lite.volume.drivers.rbd.child",
                                                          "cinder_lite.wsgi.api"):
            continue
        try:
            module = importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            assert error.name in ("rados", "rbd"), found.name
            continue
        yield from (kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == found.name)


def overridden():
    """(file, name) of private names that a class of ours shares with a class of another library that it extends."""
    for kind in classes():
        for base in kind.__mro__[1:]:
            if base.__module__.split(".")[0] not in sys.stdlib_module_names | {"cinder_lite"}:
                yield from ((f"{kind.__module__.replace('.', '/')}.py", name)
                            for name in of_class(kind) & of_class(base))


def test_private_names_of_a_library_are_used_where_the_table_has_them():
    found = {}
    for module in source.modules("cinder_lite"):
        for name in reached(module):
            found.setdefault(module.name, set()).add(name)
    # Aside: other tests look at what has been imported.
    aside = subprocess.run([sys.executable, "-c", "import json\nfrom tests.meta.test_private_names import overridden\n"
                            "print(json.dumps(sorted(set(overridden()))))"], cwd=source.TOP, capture_output=True,
                           text=True)
    assert aside.returncode == 0, aside.stderr
    for name, private in json.loads(aside.stdout):
        found.setdefault(name, set()).add(private)
    listed = {}
    for use in [*REACHED_INTO.values(), *OF_PYTHON.values()]:
        listed.setdefault(use.module, set()).update(use.names)
    assert found == listed


@pytest.mark.parametrize("text,names", [
    ("from lib import _inner", ["_inner"]), ("import lib._inner.more", ["_inner"]), ("thing._x", ["_x"]),
    ("thing._x = 1", ["_x"]),
    ("f(_x=1)", ["_x"]), ("getattr(thing, '_x', None)", ["_x"]), ("row._mapping", []), ("thing.__dict__", []),
    ("class C:\n    def _m(self): return self._m", []), ("from cinder_lite import mine\nmine._x", []),
])
def test_a_private_name_is_found(text, names):
    assert list(reached(source.Module("x.py", text))) == names


@pytest.mark.parametrize("package", sorted({*REACHED_INTO, *UNDOCUMENTED}))
def test_such_a_library_has_an_upper_bound(package):
    setup = configparser.ConfigParser()
    setup.read(source.TOP / "setup.cfg")
    assert re.search(rf"^{re.escape(package)}>=[\w.]+,<[\w.]+$", setup["options"]["install_requires"], re.M)


@pytest.mark.parametrize("place", SHAPES)
def test_it_looks_as_is_relied_on(place, monkeypatch):
    """When this fails, a library has changed: look at the module that REACHED_INTO names, then at its bound in
    setup.cfg."""
    if sys.modules.get("eventlet", True) is None:  # native threads keep it out of the process
        monkeypatch.delitem(sys.modules, "eventlet")
    module, _, path = place.partition(":")
    found = functools.reduce(getattr, path.split("."), importlib.import_module(module))
    if isinstance(SHAPES[place], str):
        assert f"({', '.join(inspect.signature(found).parameters)})" == SHAPES[place]
    else:
        text = "".join(inspect.getsource(kind) for kind in found.__mro__ if kind.__module__.split(".")[0] not in
                       sys.stdlib_module_names)
        assert [name for name in SHAPES[place] if not re.search(rf"\b{name}\b", text)] == []


def test_networkx_has_the_modules_that_are_skipped():
    from cinder_lite.volume.flows import lazy_networkx

    assert [name for name in lazy_networkx.PACKAGES if importlib.util.find_spec(f"networkx.{name}") is None] == []
    for name, module in lazy_networkx.NEEDED.items():
        part = importlib.import_module(module)
        assert hasattr(part, name) or module.endswith(name)
