"""Each outside library has one door, and configuration has no global."""

import ast

import pytest

from tests.meta import source

DOORS = {
    "eventlet": ("cinder_lite/concurrency/",),
    "greenlet": ("cinder_lite/concurrency/__init__.py",),
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
