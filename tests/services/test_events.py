"""Notifications on a real broker: each arrives, although the broker and its service died."""

import json

import pytest
from amqp import exceptions

from tests.services import checks, daemons, processes

QUEUE = "notifications.info"


@pytest.fixture(params=["mariadb"])
def service(request, broker):
    database = request.getfixturevalue(request.param)
    database.emptied()
    changes = {"oslo_messaging_notifications": {"driver": "messagingv2"}}
    with daemons.Daemons(database.url, broker.url, driver="null", changes=changes) as four:
        yield four.start(), database


class Consumer:
    """Receives notifications as Ceilometer does, from the queue of their topic."""

    def __init__(self, broker):
        self.broker, self.got = broker, {}

    def has(self, *wanted):
        """Whether the events (type, volume) have arrived."""
        with self.broker.connect() as connection:
            for body in self._waiting(connection.channel()):
                notification = json.loads(json.loads(body)["oslo.message"])
                key = notification["event_type"], notification["payload"]["volume_id"]
                self.got.setdefault(key, set()).add(notification["message_id"])
        return set(wanted) <= self.got.keys()

    @staticmethod
    def _waiting(channel):
        try:
            while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
                yield message.body
        except exceptions.NotFound:
            return  # An emptied broker has the queue again from the first notification on.


def made(service, database):
    status, body = service.request("POST", "/volumes", {"volume": {"size": 1}})
    assert status == 202, body
    checks.await_rest(service, database)
    return body["volume"]["id"]


def test_notifications_arrive_although_all_services_die(service, broker):
    service, database = service
    consumer = Consumer(broker)
    first = made(service, database)
    wanted = [("volume.create.start", first), ("volume.create.end", first)]
    processes.until(lambda: consumer.has(*wanted), what=str(wanted))
    broker.kill()
    second = made(service, database)
    assert checks.rows(database, "SELECT event_type FROM notices ORDER BY created_at") != []
    service.kill("volume")
    broker.restart(empty=True)
    service.restart("volume")
    service.wait()
    wanted = [("volume.create.start", second), ("volume.create.end", second)]
    processes.until(lambda: consumer.has(*wanted), what=str(wanted))
    processes.until(lambda: checks.rows(database, "SELECT id FROM notices") == [], what="all to be sent")
    assert {len(ids) for ids in consumer.got.values()} == {1}, "what is sent twice has the same id"
