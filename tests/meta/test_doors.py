"""Each outside library has one door, as have time, threads, chance and processes; configuration has no global."""

import ast

import pytest

from tests.meta import source

DOORS = {
    "eventlet": ("cinder_lite/concurrency/",),
    "greenlet": ("cinder_lite/concurrency/current_thread.py",),
    "oslo_messaging": ("cinder_lite/rpc/",),
    "pyroute2": ("cinder_lite/host/network.py",),
    "os_brick": ("cinder_lite/volume/targets/iscsi_initiator.py",),
    "networkx": ("cinder_lite/volume/flows/lazy_networkx.py",),
    "webob": ("cinder_lite/api/",),
    "routes": ("cinder_lite/api/",),
    # The lifecycle engine writes statuses, and the import reads a database that is not ours.
    "sqlalchemy": ("cinder_lite/db/", "cinder_lite/jobs/lifecycle.py", "cinder_lite/import_cinder/database.py"),
    "alembic": ("cinder_lite/db/",),
}


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_behind_its_door_only(library):
    strays = [(module.name, line, name) for module in source.modules("cinder_lite") for line, name in module.imports()
              if name.split(".")[0] == library and not module.name.startswith(DOORS[library])]
    assert strays == []


def test_configuration_is_passed_and_never_global():
    # oslo.messaging registers options on the global configuration, from where its door fetches them.
    searched = [module for module in source.modules("cinder_lite") if not module.name.startswith("cinder_lite/rpc/")]
    strays = [(module.name, node.lineno) for module in searched for node in ast.walk(module.tree)
              if isinstance(node, ast.Attribute) and node.attr == "CONF"]
    strays += [(module.name, line) for module in searched for line, name in module.imports()
               if name == "oslo_config.cfg.CONF"]
    assert strays == []


#: Modules that read the clock, block, draw chance, make ids, or start threads or processes -> what may be used of them
#: nevertheless: errors, types, and what is computed from a given value. Names in annotations are free.
STANDARD = {
    **dict.fromkeys(("_thread", "asyncio", "concurrent", "multiprocessing", "queue", "random", "sched", "secrets",
                     "select", "selectors", "threading", "time", "oslo_utils.timeutils"), ()),
    "oslo_utils.uuidutils": ("is_uuid_like",),
    "subprocess": ("CalledProcessError", "TimeoutExpired"),
    "uuid": ("UUID",),
}
#: What is not to be used of modules that are otherwise free. `native(...)` is a module without eventlet's patches.
CALLS = {
    "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today",
    "os.fork", "os.forkpty", "os.getrandom", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.system", "os.urandom",
    "signal.pause", "signal.sigwait", "signal.sigtimedwait", "signal.sigwaitinfo",
    *(f"native({module})" for module in ("os", "queue", "select", "subprocess", "threading", "time")),
}
LIBRBD = "runs in librbd's own process, on the system's Python without the libraries of this package"
#: What uses them -> (the modules or calls, why). A folder stands for all in it.
OPEN = {
    "cinder_lite/concurrency/": (("native", "random", "threading", "time"),
                                 "clock, locks, randomness, commands and threads for all others"),
    "cinder_lite/client/top.py": (("select.select",), "a command in a terminal waits for a key"),
    "cinder_lite/db/migrations/": (("datetime.datetime.now", "uuid.uuid4"),
                                   "a released migration uses nothing that may change after it"),
    "cinder_lite/host/privsep.py": (("native",), "gives oslo.privsep modules without eventlet's patches"),
    "cinder_lite/service/workers.py": (("os.fork",), "the process that starts all others"),
    "cinder_lite/service/supervisor.py": (("os.fork",), "the process that watches all others"),
    "cinder_lite/volume/drivers/lvm/privileged.py": (("os.urandom", "subprocess"), "runs in the privileged helper"),
    "cinder_lite/volume/drivers/rbd/child.py": (("threading.Thread",), LIBRBD),
    "cinder_lite/volume/drivers/rbd/cluster.py": (("time",), LIBRBD),
    "cinder_lite/volume/drivers/rbd/image_io.py": (("os.urandom", "threading.Condition"), LIBRBD),
    "cinder_lite/volume/drivers/rbd/images.py": (("concurrent.futures.ThreadPoolExecutor",), LIBRBD),
    "cinder_lite/volume/drivers/rbd/locking.py": (("threading", "uuid.uuid4"), LIBRBD),
    "cinder_lite/volume/drivers/rbd/trash.py": (("threading", "time"), LIBRBD),
}


def covers(name, longer):
    return longer == name or longer.startswith((f"{name}.", f"{name}("))


def uses(tree):
    """(line, dotted name) of what a module takes from STANDARD and CALLS, whatever names it was imported under."""
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name.partition(".")[0]:
                         alias.name if alias.asname else alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    annotations = {id(below) for node in ast.walk(tree) for field in ("annotation", "returns")
                   if isinstance(getattr(node, field, None), ast.AST) for below in ast.walk(getattr(node, field))}
    parts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        name = full_name(node, imported)
        if name and id(node) not in annotations | parts and is_forbidden(name):
            yield node.lineno, name


def full_name(node, imported):
    """What an expression is in dotted form if it is something imported, else None."""
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute):
        found = full_name(node.value, imported)
        return found and f"{found}.{node.attr}"
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("native"):
        argument = node.args[0]
        return f"native({argument.value})" if isinstance(argument, ast.Constant) else "native(os)"
    return None


def is_forbidden(name):
    for module, free in STANDARD.items():
        if covers(module, name):
            return not any(covers(f"{module}.{one}", name) for one in free)
    return any(covers(call, name) for call in CALLS)


def opened(path):
    """What a file may use of STANDARD and CALLS."""
    return [name for where, (names, _) in OPEN.items() if path.startswith(where) for name in names]


def test_time_threads_chance_and_processes_are_taken_from_the_package_concurrency():
    strays = [(module.name, line, name) for module in source.modules("cinder_lite") for line, name in uses(module.tree)
              if not any(covers(one, name) for one in opened(module.name))]
    assert strays == []


def test_each_door_is_used():
    used = {(module.name, name) for module in source.modules("cinder_lite") for _, name in uses(module.tree)}
    unused = {(where, one) for where, (names, _) in OPEN.items() for one in names
              if not any(path.startswith(where) and covers(one, name) for path, name in used)}
    assert unused == set()


@pytest.mark.parametrize(("text", "found"), [
    ("import time\ntime.sleep(1)", "time.sleep"),
    ("from time import sleep as rest\nrest(1)", "time.sleep"),
    ("import time\ndef f(clock=time.monotonic): pass", "time.monotonic"),
    ("import threading as t\nt.Thread(target=print).start()", "threading.Thread"),
    ("import concurrent.futures\nconcurrent.futures.ThreadPoolExecutor(3)", "concurrent.futures.ThreadPoolExecutor"),
    ("import datetime\ndatetime.datetime.now(datetime.UTC)", "datetime.datetime.now"),
    ("import datetime as dt\ndt.datetime.utcnow().date()", "datetime.datetime.utcnow"),
    ("import uuid\nname = str(uuid.uuid4())", "uuid.uuid4"),
    ("import os\nos.urandom(8)", "os.urandom"),
    ("import subprocess\nsubprocess.run(['true'])", "subprocess.run"),
    ("from cinder_lite import concurrency\nconcurrency.native('threading').Lock()", "native(threading).Lock"),
    ("import random\nrandom.Random()", "random.Random"),
])
def test_what_bypasses_the_doors_is_found(text, found):
    assert found in {name for _, name in uses(ast.parse(text))}


@pytest.mark.parametrize("text", [
    "import datetime\ndatetime.timedelta(seconds=datetime.datetime.fromisoformat('2026-01-01').second)",
    "import uuid\nuuid.UUID('0' * 32)",
    "import random\ndef f(rng: random.Random) -> random.Random: return rng",
    "import subprocess\ntry: pass\nexcept subprocess.CalledProcessError: pass",
    "from cinder_lite.concurrency import clock\nclock.sleep(1)",
    "from cinder_lite import concurrency\nconcurrency.native('socket').socketpair()",
])
def test_what_computes_from_values_is_free(text):
    assert list(uses(ast.parse(text))) == []
