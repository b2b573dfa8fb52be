"""The transport `local://`: messages within one process, delivered at once."""

import collections
from collections.abc import Mapping
from typing import Any, NamedTuple

import oslo_messaging
from oslo_config import cfg
from oslo_serialization import jsonutils

from cinder_lite.concurrency import locks
from cinder_lite.rpc.oslo_internals import driver_base


class _Address(NamedTuple):
    """Where messages are queued: for one server, or for any server of the topic."""

    exchange: str | None
    topic: str
    server: str | None = None


class _Queues:
    """Messages by address; listeners are notified of new ones."""

    def __init__(self):
        self.changed = locks.condition()
        self._messages = collections.defaultdict(collections.deque)

    def put(self, address, message):
        with self.changed:
            self._messages[address].append(message)
            self.changed.notify_all()

    def take(self, addresses):
        """The next message, or None. The caller holds `changed`."""
        waiting = next((self._messages[address] for address in addresses if self._messages[address]), None)
        return waiting.popleft() if waiting else None

    def clear(self):
        with self.changed:
            self._messages.clear()


class _Answer:
    """The answer to one call: its result, or an error that is raised in the caller."""

    def __init__(self):
        self.received, self.result, self.error = locks.event(), None, None

    def put(self, result, error):
        self.result, self.error = result, error
        self.received.set()


class _Message(driver_base.RpcIncomingMessage):
    def __init__(self, ctxt, message, answer, requeue):
        super().__init__(ctxt, message)
        self._answer, self._requeue = answer, requeue

    def reply(self, reply=None, failure=None):
        if self._answer is not None:
            self._answer.put(reply, failure[1] if failure else None)

    def requeue(self):
        self._requeue(self)

    def heartbeat(self):
        """Nothing to do: who waits is in the same process."""


class _Listener(driver_base.PollStyleListener):
    def __init__(self, queues, addresses):
        super().__init__()
        self._queues, self._addresses, self._is_stopped = queues, addresses, False

    @driver_base.batch_poll_helper
    def poll(self, timeout=None):
        with self._queues.changed:
            message = self._queues.take(self._addresses)
            while message is None and not self._is_stopped:
                if not self._queues.changed.wait(timeout):
                    return None
                message = self._queues.take(self._addresses)
            return message

    def stop(self):
        with self._queues.changed:
            self._is_stopped = True
            self._queues.changed.notify_all()


class LocalDriver(driver_base.BaseDriver):
    """oslo.messaging's driver of `local://`.

    oslo.messaging's own in-memory transport is for unit tests: it polls every 50 ms, and shares its queues between all
    transports of a process. This one notifies listeners, and its queues are its own.
    """

    def __init__(self, conf: cfg.ConfigOpts, url: Any, default_exchange: str | None = None,
                 allowed_remote_exmods: list[str] | None = None):
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self.exchange, self._queues = default_exchange, _Queues()

    def require_features(self, requeue: bool = True) -> None:
        """It has all of them."""

    def send(self, target: oslo_messaging.Target, ctxt: Mapping[str, Any], message: Mapping[str, Any],
             wait_for_reply: bool | None = None, timeout: float | None = None,
             call_monitor_timeout: float | None = None,
             retry: int | None = None, transport_options: Any = None) -> Any:
        """Queue the message. With `wait_for_reply`, return the answer or raise its error; MessagingTimeout without
        any."""
        jsonutils.dumps(message)  # a broker would refuse it too
        answer = _Answer() if wait_for_reply else None
        address = _Address(target.exchange or self.exchange, target.topic, target.server)

        def requeue(sent):
            self._queues.put(address, sent)

        self._queues.put(address, _Message(ctxt, message, answer, requeue))
        if answer is None:
            return None
        if not answer.received.wait(timeout):
            raise oslo_messaging.MessagingTimeout(f"No reply on topic {target.topic}")
        if answer.error is not None:
            raise answer.error
        return answer.result

    def send_notification(self, target: oslo_messaging.Target, ctxt: Mapping[str, Any], message: Mapping[str, Any],
                          version: float, retry: int | None = None) -> None:
        """Queue a notification."""
        self.send(target, ctxt, message)

    def listen(self, target: oslo_messaging.Target, batch_size: int, batch_timeout: float) -> Any:
        """A listener for messages to the target's server and to any server of its topic."""
        exchange = target.exchange or self.exchange
        return self._listener([_Address(exchange, target.topic, target.server), _Address(exchange, target.topic)],
                              batch_size, batch_timeout)

    def listen_for_notifications(self, targets_and_priorities: list[tuple[oslo_messaging.Target, str]],
                                 pool: str | None,
                                 batch_size: int, batch_timeout: float) -> Any:
        """A listener for notifications of those topics and priorities."""
        addresses = [_Address(target.exchange or self.exchange, f"{target.topic}.{priority}")
                     for target, priority in targets_and_priorities]
        return self._listener(addresses, batch_size, batch_timeout)

    def _listener(self, addresses, batch_size, batch_timeout):
        return driver_base.PollStyleListenerAdapter(_Listener(self._queues, addresses), batch_size, batch_timeout)

    def cleanup(self) -> None:
        """Drop what is queued."""
        self._queues.clear()
