"""Register oslo.messaging's options, connect to the message broker, and check that it can be reached."""

import contextlib
from collections.abc import Iterator

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import opts

from cinder_lite import errors
from cinder_lite.concurrency import awaited
from cinder_lite.concurrency.pool import Pool
from cinder_lite.rpc import oslo_internals

#: Modules of the errors that a call raises in the caller as themselves.
EXPOSED = ["cinder_lite.errors"]
RABBIT, NOTIFICATIONS = "oslo_messaging_rabbit", "oslo_messaging_notifications"
#: Seconds that a call waits for the broker.
CONNECT_TIMEOUT = 5
#: For checks of the broker, each of which takes a thread for as long as the broker does not answer.
_CHECKS = Pool(4)
#: The delays, in seconds, of reconnecting to a broker; oslo.messaging's default is up to half a minute.
RECONNECT = {"kombu_reconnect_delay": 0.5, "rabbit_interval_max": 2}


def register_options(conf: cfg.ConfigOpts) -> None:
    """oslo.messaging's options, with messages in memory as the default transport."""
    oslo_messaging.set_transport_defaults("cinder_lite")
    for group, options in opts.list_opts():
        if group in (None, RABBIT, NOTIFICATIONS):
            conf.register_opts(options, group=group)
    conf.set_default("transport_url", "local://")
    for name, value in RECONNECT.items():
        conf.set_default(name, value, group=RABBIT)


def connect(conf: cfg.ConfigOpts) -> oslo_messaging.Transport:
    """The transport that transport_url names. Raises Misconfigured for a URL that is not a broker's."""
    for group, options in oslo_internals.OPTIONS.items():
        conf.register_opts(options, group=group)
    oslo_internals.wait_longer()
    with valid_url("transport_url"):
        return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=EXPOSED)


@contextlib.contextmanager
def valid_url(option: str) -> Iterator[None]:
    """Raise Misconfigured for a URL in that option that the block cannot use, whatever error the library raises."""
    try:
        yield
    except (oslo_messaging.MessagingException, ValueError, ImportError, cfg.Error) as error:
        raise errors.Misconfigured(f"{option} is not the URL of a broker that is known: {error}") from error


def unreachable(transport: oslo_messaging.Transport) -> str | None:
    """Why the broker does not accept a new connection within CONNECT_TIMEOUT seconds, or None."""
    probe = oslo_internals.probe(transport)
    if probe is None:
        return None
    try:
        awaited.within(_CHECKS, CONNECT_TIMEOUT, probe)
    except awaited.Late as late:
        return str(late)
    except Exception as error:
        # Each library raises its own classes, and any of them is the reason.
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return None
