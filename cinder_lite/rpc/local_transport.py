"""The transport `local://`: messages within one process, delivered at once."""

import threading
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import base as driver_base
from oslo_messaging._drivers import impl_fake


class _Exchange(impl_fake.FakeExchange):
    """Queues in memory that notify listeners of new messages."""

    def __init__(self, name):
        super().__init__(name)
        self.arrived = threading.Condition()

    def deliver_message(self, *args, **kwargs):
        super().deliver_message(*args, **kwargs)
        with self.arrived:
            self.arrived.notify_all()


class _Exchanges:
    def __init__(self, default):
        self._default, self._by_name, self._lock = default, {}, threading.Lock()

    def get_exchange(self, name):
        name = name or self._default
        with self._lock:
            return self._by_name.setdefault(name, _Exchange(name))

    def cleanup(self):
        self._by_name.clear()


class _Listener(impl_fake.FakeListener):
    @driver_base.batch_poll_helper
    def poll(self, timeout=None):
        arrived = self._exchange_manager.get_exchange(self._targets[0].exchange).arrived
        with arrived:
            message = self._take()
            while message is None and not self._stopped.is_set():
                if not arrived.wait(timeout):
                    return None
                message = self._take()
            return message

    def _take(self):
        for target in self._targets:
            queue = self._exchange_manager.get_exchange(target.exchange)
            ctxt, message, reply_q, requeue = queue.poll(target, self._pool)
            if message is not None:
                return impl_fake.FakeIncomingMessage(ctxt, message, reply_q, requeue)
        return None

    def stop(self):
        super().stop()
        arrived = self._exchange_manager.get_exchange(self._targets[0].exchange).arrived
        with arrived:
            arrived.notify_all()


class LocalDriver(impl_fake.FakeDriver):
    """oslo.messaging's driver of `local://`.

    oslo.messaging's own in-memory transport polls every 50 ms, and shares its queues between all transports of a
    process; this one notifies listeners, and its queues are its own.
    """

    def __init__(self, conf: cfg.ConfigOpts, url: Any, default_exchange: str | None = None,
                 allowed_remote_exmods: list[str] | None = None):
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self._exchange_manager = _Exchanges(default_exchange)

    def listen(self, target: oslo_messaging.Target, batch_size: int, batch_timeout: float) -> Any:
        exchange = target.exchange or self._default_exchange
        targets = [oslo_messaging.Target(topic=target.topic, server=target.server, exchange=exchange),
                   oslo_messaging.Target(topic=target.topic, exchange=exchange)]
        return driver_base.PollStyleListenerAdapter(_Listener(self._exchange_manager, targets), batch_size,
                                                    batch_timeout)
