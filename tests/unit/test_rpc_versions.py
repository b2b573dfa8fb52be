"""RPC between two releases: messages carry the required version, and a service that is too old is reported."""

import importlib

import pytest

from cinder_lite import conf, context, errors
from cinder_lite.concurrency import bulkhead
from cinder_lite.rpc import calls, interface, transport
from cinder_lite.rpc.client import Client, Sender
from cinder_lite.rpc.server import Server

CTX = context.Context(user_id="u", project_id="p", is_admin=True, overwrite=False)


class Old(interface.Interface):
    topic, version = "test-releases", "1.0"

    @interface.call
    def show(self, ctx, id):
        """The methods of both releases."""


class New(interface.Interface):
    topic, version = "test-releases", "1.2"

    @interface.call
    @interface.since("1.0", deep="1.2")
    def show(self, ctx, id, deep=False):
        """With an argument of the new release."""

    @interface.call
    @interface.since("1.1")
    def count(self, ctx):
        """The methods of the new release only."""


class Manager:
    def show(self, ctx, id, deep=False):
        return [id, deep]

    def count(self, ctx):
        return 3


@pytest.fixture
def client():
    """A function (the server's interface, the client's) -> client."""
    connection = transport.connect(conf.load(argv=[]))
    servers, sender = [], Sender()

    def made(server, asked):
        servers.append(Server(connection, server, Manager(), "here"))
        servers[-1].start()
        return Client(connection, asked, sender, 30, bulkhead.Bulkhead(10)).on("here")

    yield made
    for server in servers:
        server.stop()
    sender.stop()


def test_an_old_client_calls_a_new_service(client):
    assert client(New, Old).show(CTX, id="v") == ["v", False]


def test_a_new_client_calls_existing_methods_of_an_old_service(client):
    asked = client(Old, New)
    assert asked.show(CTX, id="v") == ["v", False]
    assert asked.show(CTX, id="v", deep=False) == ["v", False]


def test_a_new_client_gets_an_error_for_methods_missing_in_an_old_service(client):
    asked = client(Old, New)
    for method, arguments in (("count", {}), ("show", {"id": "v", "deep": True})):
        with pytest.raises(calls.TooOld, match=f"does not support '{method}' yet; upgrade it"):
            getattr(asked, method)(CTX, **arguments)


def test_new_clients_and_services_support_all_methods(client):
    asked = client(New, New)
    assert (asked.show(CTX, id="v", deep=True), asked.count(CTX)) == (["v", True], 3)


def kinds(error):
    """The classes of errors below that one."""
    return {one for below in error.__subclasses__() for one in (below, *kinds(below))}


def test_errors_of_a_service_have_the_same_class_over_a_broker():
    for module in ("backup.manager", "scheduler.manager", "volume.jobs.volumes", "volume.manager", "image.download"):
        importlib.import_module(f"cinder_lite.{module}")
    # Those of rpc itself are raised where the question is asked.
    strange = {f"{one.__module__}.{one.__name__}" for one in kinds(errors.Error)
               if one.__module__ not in (*transport.EXPOSED, calls.__name__)}
    assert strange == set()
    said = errors.BackendFailed(reason="the disk is gone")
    assert str(errors.BackendFailed(*said.args)) == "the disk is gone"
