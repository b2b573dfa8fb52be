"""Open the API's listening socket, or take over the one that the service manager has stored."""

import errno
import socket

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.api.auth import strategy
from cinder_lite.concurrency import http_server
from cinder_lite.host import systemd

#: The name under which the service manager stores the socket.
SOCKET = "api"


def listen(conf: cfg.ConfigOpts) -> socket.socket:
    """The socket that all workers share. Raises Misconfigured when it cannot be opened.

    The service manager stores it while the service is restarted, so that clients wait instead of being refused.
    """
    address, port = conf.osapi_volume_listen, conf.osapi_volume_listen_port
    strategy.check_configuration(conf)
    stored = systemd.stored_socket(SOCKET)
    try:
        sock = None if stored is None else http_server.take_over(stored, address, port)
        if sock is None:
            sock = http_server.listen(address, port)
            systemd.store_socket(SOCKET, sock)
        return sock
    except OSError as error:
        raise _misconfigured(conf, error) from error


def check_address(conf: cfg.ConfigOpts) -> None:
    """Raise Misconfigured when the configured address and port cannot be listened on; a port in use is accepted."""
    try:
        http_server.listen(conf.osapi_volume_listen, conf.osapi_volume_listen_port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise _misconfigured(conf, error) from error


def _misconfigured(conf, error):
    return errors.Misconfigured(
        f"the API cannot listen on {conf.osapi_volume_listen}:{conf.osapi_volume_listen_port}: {error.strerror}. "
        "Does another service use the port? osapi_volume_listen_port sets another one.")
