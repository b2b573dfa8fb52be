"""Messages between processes: interfaces, their clients and servers, over oslo.messaging.

A service's interface is a class whose methods are marked `cast` or `call`; the client is made from it and the manager
implements it. A cast only wakes somebody to look at the database, so losing one loses nothing: casts are sent by a
thread of their own, are tried once, and never hold up who sends them.
"""

import collections
import contextlib
import functools
import inspect
import logging
import threading
import time

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import opts
from oslo_messaging._drivers import base as driver_base
from oslo_messaging._drivers import common as driver_common
from oslo_messaging._drivers import impl_fake
from oslo_messaging.rpc import dispatcher

from cinder_lite import concurrency, context, db, errors
from cinder_lite.concurrency import bulkhead
from cinder_lite.rpc.interface import Interface, call, cast, methods, since

LOG = logging.getLogger(__name__)

__all__ = ["Interface", "call", "cast", "methods", "since"]
#: Errors that a call may raise in the caller as what they are.
EXPOSED = ["cinder_lite.errors"]
#: How errors of a database that cannot be used are named over a broker.
AWAY = frozenset(one.__name__ for one in (db.Unreachable, *db.Unreachable.__subclasses__()))
#: Casts that wait to be sent while the broker is slow; older ones are dropped, for the sweep finds their jobs.
BACKLOG = 10000
RABBIT, NOTIFICATIONS = "oslo_messaging_rabbit", "oslo_messaging_notifications"
#: Drivers of notifications that use a broker, and the form of their messages.
BUS = {"messaging": 1.0, "messagingv2": 2.0}
#: The exchange on which consumers of Cinder's notifications listen.
EXCHANGE = "cinder"
#: Seconds that a call waits for the broker.
CONNECT = 5
#: How soon a broker that was away is used again; oslo.messaging waits up to half a minute.
RECONNECT = {"kombu_reconnect_delay": 0.5, "rabbit_interval_max": 2}


class NoAnswer(errors.Error):
    """The service that was called did not answer in time."""

    status = 500
    message = "the service '{topic}' on {host} did not answer within {seconds} s; is it running?"
    for_members = "the service that does this did not answer in time; try again later, or ask an administrator"


class BrokerAway(NoAnswer):
    """The service could not even be asked."""

    status = 503
    message = "the service '{topic}' on {host} cannot be asked, because the message broker is away; try again later"
    for_members = "the service that does this cannot be asked at the moment; try again later"


class Busy(NoAnswer):
    """So many wait for the service already that another is not to."""

    status = 503
    retry_after = 5
    message = "too many requests wait for the service '{topic}' on {host} already, which may hang; try again later"
    for_members = "too many requests wait for the service that does this already; try again later"


class TooOld(errors.Error):
    """The service is of a release that does not know what it was asked."""

    status = 503
    message = "the service '{topic}' on {host} is of a release that does not know '{method}' yet; upgrade it, then try again"
    for_members = "the service that does this is being upgraded; try again later"


def needed(method, arguments, first):
    """(version, arguments) of a message; `first` is the version of what is not marked by `since`."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(method).parameters.items()}
    later = {name: version for name, version in getattr(method, "later", {}).items()
             if name in arguments and arguments[name] != defaults[name]}
    sent = {name: value for name, value in arguments.items() if name in later or name not in getattr(method, "later", {})}
    return max(getattr(method, "since", first), *later.values(), first, key=lambda text: [*map(int, text.split("."))]), sent


class _ContextSerializer(oslo_messaging.NoOpSerializer):
    def serialize_context(self, ctx):
        # Nobody on the other side needs the token.
        return {**ctx.to_dict(), "auth_token": None}

    def deserialize_context(self, ctxt):
        return context.Context.from_dict(ctxt)


def register_options(conf):
    """oslo.messaging's options, with messages in memory as the default transport."""
    oslo_messaging.set_transport_defaults("cinder_lite")
    for group, options in opts.list_opts():
        if group in (None, RABBIT, NOTIFICATIONS):
            conf.register_opts(options, group=group)
    conf.set_default("transport_url", "local://")
    for name, value in RECONNECT.items():
        conf.set_default(name, value, group=RABBIT)


def transport(conf):
    """The connection to the broker that transport_url names."""
    # Two groups of oslo.messaging are registered on the global configuration only; senders look for them on ours.
    for group in ("oslo_messaging_metrics", "oslo_messaging_tracing"):
        for found in cfg.CONF._groups[group]._opts.values():
            conf.register_opt(found["opt"], group=group)
    with _known_broker("transport_url"):
        return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=EXPOSED)


@contextlib.contextmanager
def _known_broker(option):
    """Where a URL is understood: Misconfigured when it is not, whatever the library makes of it."""
    try:
        yield
    except (oslo_messaging.MessagingException, ValueError, ImportError, cfg.Error) as error:
        raise errors.Misconfigured(f"{option} is not the URL of a broker that is known: {error}") from error


def unreachable(transport):
    """Why the broker does not take a new connection within CONNECT seconds, or None."""
    pool = getattr(transport._driver, "_connection_pool", None)
    if pool is None:
        return None
    outcome, ended = [], threading.Event()

    def connect():
        try:
            pool.connection_cls(pool.conf, pool.url, driver_common.PURPOSE_LISTEN, retry=1).close()
        except Exception as error:
            # Whatever it is, of whichever library: it is an answer to the question.
            outcome.append(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        ended.set()

    concurrency.spawn(connect)
    if not ended.wait(CONNECT):
        return f"it has not answered within {CONNECT} s"
    return outcome[0] if outcome else None


def notifies(conf):
    """Whether notifications are wanted."""
    return any(driver not in ("", "noop") for driver in conf[NOTIFICATIONS].driver)


class Bus:
    """Where notifications go. oslo.messaging's drivers for brokers only log what they could not send; this raises."""

    FAILURES = oslo_messaging.MessagingException

    def __init__(self, conf):
        with _known_broker(f"[{NOTIFICATIONS}] transport_url"):
            self._transport = oslo_messaging.get_notification_transport(conf)
        drivers = conf[NOTIFICATIONS].driver
        self._forms = [BUS[driver] for driver in drivers if driver in BUS]
        self._topics = conf[NOTIFICATIONS].topics
        self._others = [oslo_messaging.Notifier(self._transport, driver=driver) for driver in drivers if driver not in BUS]

    def tell(self, id, time, publisher, event_type, payload, asker):
        """Send one notification. Raises FAILURES while the broker is away."""
        for other in self._others:
            other.prepare(publisher_id=publisher).info(asker, event_type, payload)
        message = {"message_id": id, "publisher_id": publisher, "timestamp": str(time), "priority": "INFO",
                   "event_type": event_type, "payload": payload}
        for form in self._forms:
            for topic in self._topics:
                target = oslo_messaging.Target(topic=f"{topic}.info", exchange=EXCHANGE)
                self._transport._send_notification(target, asker, message, version=form, retry=0)


class Sender:
    """Sends casts in the background, in order."""

    meter = None

    def __init__(self):
        self._queue = collections.deque(maxlen=BACKLOG)
        self._filled = threading.Event()
        self._stopped = False
        concurrency.spawn(self._loop)

    def put(self, send, *about):
        """`about` is the topic and the method."""
        self._queue.append((send, about))
        self._filled.set()

    def stop(self, seconds=2.0):
        """Send what is left, for at most so many seconds."""
        with concurrency.deadline(seconds) as left:
            while self._queue and left():
                time.sleep(0.02)
        self._stopped = True
        self._filled.set()

    def _loop(self):
        while not self._stopped:
            self._filled.wait()
            self._filled.clear()
            while self._queue:
                (send, about), outcome = self._queue.popleft(), "sent"
                try:
                    send()
                except oslo_messaging.MessagingException as error:
                    # Not an error: whoever it was for finds the job by itself.
                    LOG.warning("a wake-up was not sent, the broker may be away: %s", error)
                    outcome = "lost"
                if self.meter is not None:
                    self.meter.count("rpc_casts", 1, *about, outcome)


class Client:
    """Calls the methods of an interface. `client.on(host).method(ctx, ...)` asks one server, without `on` anyone.

    `waiting` is the Bulkhead of who waits for answers.
    """

    meter = None

    def __init__(self, transport, interface, sender, timeout, waiting):
        self.interface, self.sender, self.timeout = interface, sender, timeout
        self.waiting = waiting
        self._client = oslo_messaging.get_rpc_client(
            transport, oslo_messaging.Target(topic=interface.topic, version=interface.version),
            serializer=_ContextSerializer(), timeout=timeout)
        self._methods = methods(interface)
        self._answers = _Answers(transport)

    def on(self, host):
        return _Bound(self, host)

    def __getattr__(self, name):
        return getattr(_Bound(self, None), name)


class _Answers:
    """The queue on which this process gets answers.

    oslo.messaging makes it with the first call, and waits for the broker as long as it takes: that is done aside.
    """

    def __init__(self, transport):
        self._make = getattr(transport._driver, "_get_reply_q", None)
        self._made, self._lock, self._begun = threading.Event(), threading.Lock(), False

    def await_queue(self, seconds):
        """False when it is not there after so many seconds."""
        if self._make is None:
            return True
        with self._lock:
            if not self._begun:
                self._begun = True
                concurrency.spawn(self._run)
        return self._made.wait(seconds)

    def _run(self):
        try:
            self._make()
            self._made.set()
        except oslo_messaging.MessagingException as error:
            LOG.warning("answers cannot be received yet: %s", error)
            self._begun = False


class _Bound:
    def __init__(self, client, host):
        self._owner, self._host = client, host

    def __getattr__(self, name):
        kind = self._owner._methods.get(name)
        if kind is None:
            raise AttributeError(f"{self._owner.interface.__name__} has no method {name}")
        return functools.partial(self._cast if kind == "cast" else self._call, name)

    def _prepared(self, name, arguments, retry):
        interface = self._owner.interface
        version, sent = needed(getattr(interface, name), arguments, f"{interface.version.partition('.')[0]}.0")
        return self._owner._client.prepare(server=self._host, retry=retry, version=version), sent

    def _cast(self, name, ctx, **arguments):
        prepared, sent = self._prepared(name, arguments, 0)
        self._owner.sender.put(lambda: prepared.cast(ctx, name, **sent), self._owner.interface.topic, name)

    def _call(self, name, ctx, **arguments):
        owner = self._owner
        asked = {"topic": owner.interface.topic, "host": self._host or "any host", "seconds": owner.timeout}
        try:
            with owner.waiting.place((owner.interface.topic, self._host)):
                return self._ask(name, ctx, asked, arguments)
        except bulkhead.Full as full:
            raise Busy(**asked) from full

    def _ask(self, name, ctx, asked, arguments):
        owner = self._owner
        if not owner._answers.await_queue(min(owner.timeout, CONNECT)):
            raise BrokerAway(**asked)
        prepared, sent = self._prepared(name, arguments, 1)
        try:
            with timed(owner.meter, "rpc_call_seconds", owner.interface.topic, name):
                return prepared.call(ctx, name, **sent)
        except (oslo_messaging.RemoteError, dispatcher.UnsupportedVersion) as error:
            # In memory the exception is itself, over a broker it is told by its name.
            found = getattr(error, "exc_type", "UnsupportedVersion")
            if found == "UnsupportedVersion":
                raise TooOld(**asked, method=name) from error
            # The database is everybody's: who waits for it here waits when it is away for the other, too.
            if found in AWAY:
                raise db.Unreachable(error) from error
            raise
        except oslo_messaging.MessageDeliveryFailure as error:
            raise BrokerAway(**asked) from error
        except oslo_messaging.MessagingTimeout as error:
            raise NoAnswer(**asked) from error
        except errors.Error as error:
            raise errors.as_raised(error) from error


class _Unknown(logging.Filter):
    """Tells of a message of a later release in one line: who waits for an answer gets TooOld, and a lost cast is harmless."""

    def filter(self, record):
        if record.exc_info and isinstance(record.exc_info[1], dispatcher.UnsupportedVersion):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = "ignored a message of a later release: %s", (record.exc_info[1],)
            record.exc_info = None
        return True


_UNKNOWN = _Unknown()


class Server:
    """Answers for `manager`, addressed as `host`. It starts aside: a broker that is away holds nobody up."""

    meter = None

    def __init__(self, transport, interface, manager, host):
        executor = {"executor": "eventlet"} if concurrency.GREEN else {}
        logging.getLogger("oslo_messaging.rpc.server").addFilter(_UNKNOWN)
        self._server = oslo_messaging.get_rpc_server(
            transport, oslo_messaging.Target(topic=interface.topic, server=host), [_endpoint(interface, manager, self)],
            serializer=_ContextSerializer(), access_policy=dispatcher.ExplicitRPCAccessPolicy, **executor)
        self._started, self._lock = None, threading.Lock()

    def start(self):
        concurrency.spawn(self._start)

    def _start(self):
        self._server.start()
        with self._lock:
            stopped, self._started = self._started is False, True
        if stopped:
            self._server.stop()

    def stop(self):
        with self._lock:
            started, self._started = self._started, False
        if started:
            self._server.stop()


@contextlib.contextmanager
def timed(meter, metric, *labels):
    """Measure a block, unless `meter` is None; its outcome is the last label."""
    if meter is None:
        yield
        return
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "done"
    finally:
        meter.observe(metric, time.perf_counter() - began, *labels, outcome)


def _endpoint(interface, manager, server):
    """An object with nothing but the interface's methods, so that no other can be called from outside."""
    def exposing(method):
        @functools.wraps(method)
        def answer(_self, ctx, **arguments):
            try:
                with timed(server.meter, "rpc_served_seconds", interface.topic, method.__name__):
                    return method(ctx, **arguments)
            except errors.Error as error:
                raise oslo_messaging.ExpectedException() from error
        answer.exposed = True
        return answer

    members = {name: exposing(getattr(manager, name)) for name in methods(interface)}
    members["target"] = oslo_messaging.Target(version=interface.version)
    return type("Endpoint", (), members)()


class _Exchange(impl_fake.FakeExchange):
    """Queues in memory that wake who waits for a message."""

    def __init__(self, name):
        super().__init__(name)
        self.arrived = threading.Condition()

    def deliver_message(self, *args, **kwargs):
        super().deliver_message(*args, **kwargs)
        with self.arrived:
            self.arrived.notify_all()


class _Exchanges:
    def __init__(self, default):
        self._default, self._made, self._lock = default, {}, threading.Lock()

    def get_exchange(self, name):
        name = name or self._default
        with self._lock:
            return self._made.setdefault(name, _Exchange(name))

    def cleanup(self):
        self._made.clear()


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
    """The transport `local://`: messages within one process, delivered at once.

    oslo.messaging's own in-memory transport looks for messages every 50 ms, and shares its queues between all
    transports of a process; this one wakes who waits, and its queues are its own.
    """

    def __init__(self, conf, url, default_exchange=None, allowed_remote_exmods=None):
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self._exchange_manager = _Exchanges(default_exchange)

    def listen(self, target, batch_size, batch_timeout):
        exchange = target.exchange or self._default_exchange
        targets = [oslo_messaging.Target(topic=target.topic, server=target.server, exchange=exchange),
                   oslo_messaging.Target(topic=target.topic, exchange=exchange)]
        return driver_base.PollStyleListenerAdapter(_Listener(self._exchange_manager, targets), batch_size,
                                                    batch_timeout)
