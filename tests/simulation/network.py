"""Messages between the nodes of a world: late, twice, in any order, or lost."""

import collections

import eventlet
import oslo_messaging
from oslo_serialization import jsonutils

from cinder_lite.concurrency import locks
from cinder_lite.rpc.oslo_internals import driver_base
from tests.simulation import world

#: The longest time in seconds that a message takes.
LONGEST = 0.5
#: What a fault does to a message.
LOST, TWICE, LATE = "lost", "twice", "late"
#: The longest time in seconds that a late message takes.
MUCH = 120


class Broker:
    """Queues by (topic, server or None), and the listeners that wait for their messages."""

    def __init__(self, here):
        self.world, self.queues, self.listeners = here, collections.defaultdict(collections.deque), []

    def put(self, address, message):
        self.queues[address].append(message)
        self.world.record("queued", *address, message.message.get("method"))
        waiting = [one for one in self.listeners if address in one.addresses and one.node.alive]
        if waiting:
            self.world.rng.choice(waiting).filled.set()

    def deliver(self, address, message):
        """Queue a message after a drawn time, unless it is lost."""
        self.world.fault = None
        self.world.reach("message", 0.001, *address, message.message.get("method"), sorted(
            message.message.get("args", {}).items()))
        fault = self.world.fault
        if fault == LOST or (world.node() is not None and self.world.cut(world.node().host)):
            return
        for _ in range(2 if fault == TWICE else 1):
            seconds = self.world.rng.uniform(0, MUCH if fault == LATE else LONGEST)
            self.world.start(None, self._late, seconds, address, message)

    def _late(self, seconds, address, message):
        eventlet.sleep(seconds)
        self.put(address, message)


class Message(driver_base.RpcIncomingMessage):
    """A message, and the function that gets its answer."""

    def __init__(self, ctxt, message, answered):
        super().__init__(ctxt, message)
        self._answered = answered

    def reply(self, reply=None, failure=None):
        if self._answered is not None:
            self._answered(reply, failure[1] if failure else None)

    def requeue(self):
        raise NotImplementedError

    def heartbeat(self):
        pass


class Listener(driver_base.PollStyleListener):
    """Takes the messages of some queues for a node."""

    def __init__(self, broker, on, addresses):
        super().__init__()
        self.broker, self.node, self.addresses = broker, on, addresses
        self.filled, self.stopped = locks.event(), False
        broker.listeners.append(self)

    @driver_base.batch_poll_helper
    def poll(self, timeout=None):
        while not self.stopped:
            for address in self.addresses:
                if not self.broker.world.cut(self.node.host) and self.broker.queues[address]:
                    return self.broker.queues[address].popleft()
            self.filled.clear()
            if not self.filled.wait(timeout):
                return None
        return None

    def stop(self):
        self.stopped = True
        self.filled.set()


class Driver(driver_base.BaseDriver):
    """oslo.messaging's driver of one node."""

    def __init__(self, conf, url, broker, on):
        super().__init__(conf, url, default_exchange="openstack")
        self.broker, self.node = broker, on

    def require_features(self, requeue=True):
        """It has all of them."""

    def send(self, target, ctxt, message, wait_for_reply=None, timeout=None, **options):
        jsonutils.dumps(message)  # a broker would refuse it too
        address = target.topic, target.server
        if not wait_for_reply:
            self.broker.deliver(address, Message(ctxt, message, None))
            return None
        answers, received = [], locks.event()

        def answered(result, error):
            # In the thread of the node that answers; the answer travels as a message.
            if world.node() is not None and self.broker.world.cut(world.node().host):
                return

            def arrive():
                eventlet.sleep(self.broker.world.rng.uniform(0, LONGEST))
                answers.append((result, error))
                received.set()

            self.broker.world.start(None, arrive)

        self.broker.deliver(address, Message(ctxt, message, answered))
        if not received.wait(timeout):
            raise oslo_messaging.MessagingTimeout(f"No reply on topic {target.topic}")
        result, error = answers[0]
        if error is not None:
            raise error
        return result

    def send_notification(self, target, ctxt, message, version, retry=None):
        pass

    def listen(self, target, batch_size, batch_timeout):
        found = Listener(self.broker, world.node(), [(target.topic, target.server), (target.topic, None)])
        return driver_base.PollStyleListenerAdapter(found, batch_size, batch_timeout)

    def listen_for_notifications(self, targets_and_priorities, pool, batch_size, batch_timeout):
        raise NotImplementedError

    def cleanup(self):
        pass
