"""The time of a request is shared by the calls that are made for it, and no work begins for a caller that is gone."""

import threading

import pytest

from cinder_lite import conf, context
from cinder_lite.concurrency import budget, bulkhead, clock
from cinder_lite.rpc import calls, interface, transport
from cinder_lite.rpc.client import Client, Sender
from cinder_lite.rpc.server import Server

HOUR = 3600


class Chain(interface.Interface):
    topic, version = "test-chain", "1.0"

    @interface.call
    def left(self, ctx):
        """The seconds that the service has for the call."""

    @interface.call
    def hold(self, ctx):
        """Wait until the test allows it to end."""

    @interface.cast
    def wake(self, ctx):
        """A message that nobody waits for."""


class Manager:
    def __init__(self):
        self.held, self.released, self.woken, self.begun = (threading.Event() for _ in range(4))

    def left(self, ctx):
        self.begun.set()
        return budget.remaining(ctx, HOUR)

    def hold(self, ctx):
        self.held.set()
        self.released.wait(60)

    def wake(self, ctx):
        self.woken.set()


@pytest.fixture
def manager():
    return Manager()


@pytest.fixture
def client(manager, tmp_path):
    """A client that waits for a minute, of a service that handles one call at a time."""
    file = tmp_path / "cinder.conf"
    file.write_text("[DEFAULT]\nexecutor_thread_pool_size = 1\n")
    connection, sender = transport.connect(conf.load(argv=[], files=[str(file)])), Sender()
    manager.server = Server(connection, Chain, manager, "here")
    manager.server.start()
    yield Client(connection, Chain, sender, 60, bulkhead.Bulkhead(10)).on("here")
    manager.released.set()
    manager.server.stop()
    sender.stop()


def requester(seconds=None):
    ctx = context.Context(user_id="u", project_id="p", is_admin=True, overwrite=False)
    ctx.ends = None if seconds is None else clock.time() + seconds
    return ctx


@pytest.mark.parametrize("seconds, most", [(None, 60), (HOUR, 60), (30, 30)])
def test_a_service_has_what_is_left_of_its_callers_time(client, seconds, most):
    assert 0 < client.left(requester(seconds)) <= most


def test_nothing_is_called_when_no_time_is_left(client, manager):
    with pytest.raises(calls.NoAnswer):
        client.left(requester(-1))
    assert not manager.begun.is_set()


def test_a_call_that_comes_too_late_is_not_begun(client, manager):
    """It has waited behind another one for longer than its caller."""
    holding = threading.Thread(target=client.hold, args=(requester(),))
    holding.start()
    assert manager.held.wait(60)
    with pytest.raises(calls.NoAnswer):
        client.left(requester(0.2))
    manager.released.set()
    holding.join()
    assert client.hold(requester()) is None  # behind it in the queue
    assert not manager.begun.is_set()


def test_a_message_that_nobody_waits_for_is_never_late(client, manager):
    client.wake(requester(-1))
    assert manager.woken.wait(60)


def test_a_server_that_stops_ends_the_calls_under_way(client, manager):
    answers = []
    caller = threading.Thread(target=lambda: answers.append(client.hold(requester())))
    caller.start()
    assert manager.held.wait(60)
    manager.server.stop()
    assert not manager.server.drain(0)
    manager.released.set()
    assert manager.server.drain(60)
    caller.join(60)
    assert answers == [None]
