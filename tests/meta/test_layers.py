"""Modules import from their own layer and from lower ones only, without circles, and at the top of the file."""

import ast
import collections
import dataclasses

from tests.meta import source

#: The packages and modules of cinder_lite, lowest layer first. The longest name that fits a module decides.
LAYERS = (
    ("__init__", "errors", "states", "context"),
    ("concurrency", "host"),
    ("conf", "rpc", "db"),
    ("jobs", "observe", "blockio"),
    # The resources of a process are passed to everything above.
    ("volume.drivers", "volume.targets", "backup.stores", "image", "nova", "service.process", "service.heartbeat"),
    ("scheduler", "volume", "backup"),
    ("api", "doctor", "manage", "import_cinder", "client"),
    ("service", "wsgi", "cmd"),
)
#: What may be imported inside a function -> why. A name covers what lies below it.
LAZY = {
    "alembic": "only a schema upgrade needs it",
    "api.auth": "only the configured strategy's libraries are loaded",
    "api.openapi": "only a request for the API's description needs it",
    "client.top": "only the live view needs rich",
    "concurrency.http_green": "only in eventlet mode",
    "concurrency.http_waitress": "only in threading mode",
    "eventlet": "only in eventlet mode, and some of it after it has patched the standard library",
    "greenlet": "only in eventlet mode",
    "image": "only images need Glance's client, keystoneauth and requests",
    "jobs.notifications": "only where notifications are switched on",
    "keystoneauth1": "4 MB that only a process needs that calls Keystone, Glance or Nova",
    "lark": "only pools with a filter or goodness function need it",
    "networkx": "14 MB, of which flows need a small part",
    "observe.metrics": "only where metrics are switched on",
    "observe.tracing": "only where tracing is switched on",
    "opentelemetry": "an extra that is not always installed",
    "os_brick": "only volumes that are attached on this host need it",
    "oslo_concurrency": "only os-brick needs it",
    "oslo_context": "imported after eventlet has patched the standard library, so that it is local to green threads",
    "prometheus_client": "only where metrics are switched on",
    "pyroute2": "9 MB that only exports to other hosts need",
    "rtslib_fb": "only the privileged process of LIO imports it",
    "sqlalchemy.dialects": "only the dialect of the database in use is loaded",
    "volume.flows": "taskflow, which is needed from the first create on",
    "volume.jobs.image_cache": "as image",
    "volume.jobs.image_download": "as image",
    "volume.jobs.image_upload": "as image",
}
#: Modules that import inside functions as they like -> why.
LAZY_IMPORTERS = {
    "manage": "a command of cinder-lite-manage loads only what it needs, so that all of them start fast",
    "volume.drivers.rbd.child": "librbd is there only in the driver's own process",
}
#: Packages of plug-ins, which are loaded by entry points -> the modules in them that everybody may import.
PLUGINS = {"volume.drivers": ("volume.drivers", "volume.drivers.base"),
           "volume.targets": ("volume.targets", "volume.targets.base", "volume.targets.readers"),
           "backup.stores": ("backup.stores", "backup.stores.base")}
#: Faults that are still to be mended: an entry is removed with its fault.
UPWARD: set[tuple[str, str]] = set()


@dataclasses.dataclass(frozen=True)
class Import:
    """One import. Names are without "cinder_lite." where they are ours."""

    importer: str
    imported: str
    is_own: bool
    is_lazy: bool
    is_type: bool


def modules():
    """{name without "cinder_lite.": tree}"""
    found = {}
    for module in source.modules("cinder_lite"):
        name = module.name.removeprefix("cinder_lite/").removesuffix(".py").replace("/", ".")
        found[name.removesuffix(".__init__")] = module.tree
    return found


def imports(trees):
    """Every Import of the modules; of a package, the module in it where there is one of the imported name."""
    for name, tree in trees.items():
        inner = _below(tree, lambda node: isinstance(node, ast.FunctionDef))
        types = _below(tree, lambda node: isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
        for node in ast.walk(tree):
            for imported in _imported(node):
                is_own = imported.partition(".")[0] == "cinder_lite"
                short = imported.removeprefix("cinder_lite.")
                if is_own and short not in trees:
                    short = short.rpartition(".")[0] or "__init__"
                yield Import(name, short, is_own, id(node) in inner, id(node) in types)


def _below(tree, condition):
    return {id(node) for found in ast.walk(tree) if condition(found) for node in ast.walk(found)}


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def covers(name, module):
    return module == name or module.startswith(f"{name}.")


def layer(module):
    """The number of a module's layer, None where it has none."""
    fitting = [(len(name), number) for number, names in enumerate(LAYERS) for name in names if covers(name, module)]
    return max(fitting)[1] if fitting else None


def upward(trees):
    return {(one.importer, one.imported) for one in imports(trees)
            if one.is_own and layer(one.importer) < layer(one.imported)}


def circles(trees):
    """The sets of modules that import each other, directly or by way of others (strongly connected components)."""
    edges = collections.defaultdict(set)
    for one in imports(trees):
        if one.is_own and not one.is_type:
            edges[one.importer].add(one.imported)
    reached = {name: _reachable(name, edges) for name in trees}
    return {frozenset(other for other in reached[name] if name in reached[other]) for name in trees
            if name in reached[name]}


def _reachable(name, edges):
    found, waiting = set(), list(edges[name])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += edges[one]
    return found


def without_reason(trees):
    return {(one.importer, one.imported) for one in imports(trees)
            if one.is_lazy and not any(covers(name, one.imported) for name in LAZY)
            and not any(covers(name, one.importer) for name in LAZY_IMPORTERS)}


def past_entry_points(trees):
    """Imports of drivers, targets and stores by modules that are none themselves."""
    return {(one.importer, one.imported) for one in imports(trees) for package, interfaces in PLUGINS.items()
            if covers(package, one.imported) and one.imported not in interfaces
            and not any(covers(plugins, one.importer) for plugins in PLUGINS)}


def test_each_module_has_a_layer():
    assert {name for name in modules() if layer(name) is None} == set()


def test_no_other_module_lies_at_the_top():
    assert {path.stem for path in (source.TOP / "cinder_lite").glob("*.py")} == {"__init__", "errors", "context"}


def test_no_module_imports_from_a_higher_layer():
    assert upward(modules()) == UPWARD


def test_plugins_are_reached_by_entry_points_only():
    assert past_entry_points(modules()) == set()


def test_no_modules_import_each_other():
    assert circles(modules()) == set()


def test_an_import_inside_a_function_has_its_reason():
    assert without_reason(modules()) == set()


def test_each_reason_is_needed():
    lazy = [one for one in imports(modules()) if one.is_lazy]
    assert {name for name in LAZY if not any(covers(name, one.imported) for one in lazy)} == set()
    assert {name for name in LAZY_IMPORTERS if not any(covers(name, one.importer) for one in lazy)} == set()


def planted(**texts):
    return {name.replace("__", "."): ast.parse(text) for name, text in texts.items()}


def test_an_import_from_a_higher_layer_is_found():
    trees = planted(db="", db__jobs="from cinder_lite import db, errors\nfrom cinder_lite.service import daemon",
                    errors="", service="", service__daemon="def run():\n    from cinder_lite.db import jobs")
    assert upward(trees) == {("db.jobs", "service.daemon")}


def test_an_import_of_a_name_in_a_higher_module_is_found_in_a_function():
    trees = planted(conf="def f():\n    from cinder_lite.nova.client import Nova", nova="",
                    nova__client="class Nova: pass")
    assert upward(trees) == {("conf", "nova.client")}


def test_an_import_of_a_driver_is_found():
    text = "from cinder_lite.volume.drivers import base\nfrom cinder_lite.volume.drivers.rbd import content"
    trees = planted(backup=text, volume__drivers__rbd__content="", volume__drivers__base="",
                    volume__drivers__rbd__driver="from cinder_lite.volume.drivers.rbd import content")
    assert past_entry_points(trees) == {("backup", "volume.drivers.rbd.content")}


def test_a_circle_is_found():
    trees = planted(db__a="from cinder_lite.db import b", db__b="def f():\n    from cinder_lite.db import c",
                    db__c="from cinder_lite.db.a import x", db="")
    assert circles(trees) == {frozenset(("db.a", "db.b", "db.c"))}


def test_an_import_for_types_closes_no_circle():
    trees = planted(db__a="from cinder_lite.db import b", db="",
                    db__b="import typing\nif typing.TYPE_CHECKING:\n    from cinder_lite.db import a")
    assert circles(trees) == set()


def test_a_lazy_import_without_a_reason_is_found():
    assert without_reason(planted(db="def f():\n    import pandas")) == {("db", "pandas")}


def test_a_module_without_a_layer_is_found():
    assert (layer("utils"), layer("volume.drivers.file"), layer("volumes")) == (None, 4, None)
