"""The HTTP server of native threads: waitress, which hands a request to a thread once it has been received whole."""

import io
import socket
from collections.abc import Callable, Iterable
from typing import Any

from waitress import server, wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ThreadedTaskDispatcher

from cinder_lite.concurrency import clock, locks
from cinder_lite.concurrency.http_accept import ACCEPT_RETRY, AcceptErrors
from cinder_lite.concurrency.http_limits import FIRST_REQUEST, Limits

#: Seconds for clients to receive their answers at the end.
FLUSH_TIMEOUT = 5


def build_server(sock: socket.socket, application: Callable[..., Iterable[bytes]], limits: Limits) -> Any:
    """A server on a listening socket: `run` serves until `stop`; `refuse` accepts no more connections."""
    unix = sock.family == socket.AF_UNIX
    address = sock.getsockname()
    return (_Unix if unix else _TCP)(
        application, _sock=sock, bind_socket=False, limits=limits, dispatcher=_Threads(limits),
        sockinfo=(sock.family, sock.type, sock.proto, None if unix else address[:2]),
        adj=Adjustments(
            connection_limit=limits.connections, ident=None,
            server_name="localhost" if unix else address[0], max_request_header_size=limits.head,
            max_request_body_size=limits.received, channel_timeout=limits.idle, cleanup_interval=1,
            asyncore_use_poll=True, clear_untrusted_proxy_headers=False))


class _Threads(ThreadedTaskDispatcher):
    """Starts a thread when a request finds none that is free, at most `most`; waitress starts all before the first."""

    most = 0

    def __init__(self, limits):
        super().__init__()
        self._limits, self._aside = limits, None if limits is None else _Threads(None)

    def add_task(self, task):
        """Called by the server's thread, and by threads that have served a request and are free themselves."""
        request = task.requests[0]
        if self._aside is not None and request.error is None and request.path in self._limits.quick and (
                not request.query):
            self._aside.most = min(self.most, 1)
            self._aside.add_task(task)
            return
        with self.lock:
            running = len(self.threads) - self.stop_count
            wanted = min(self.most, self.active_count + len(self.queue) + 1)
        self.set_thread_count(max(running, wanted))
        super().add_task(task)

    def shutdown(self, *arguments, **options):
        if self._aside is not None:
            self._aside.shutdown(*arguments, **options)
        return super().shutdown(*arguments, **options)


class _RequestTimeouts:
    """Adds to waitress a timeout for receiving a request, and an orderly end."""

    closing = False

    def __init__(self, *arguments, limits, **settings):
        self.channel_class, self.sockets = _channel(limits), {}
        self._request_timeout = limits.request_timeout
        self._errors, self._paused_until = AcceptErrors(), 0
        self._late = _Refusal(limits.refuse(408, f"The request was not sent within {limits.request_timeout} seconds."))
        super().__init__(*arguments, map=self.sockets, **settings)
        self.task_dispatcher.most = limits.requests

    def maintenance(self, now):
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            request = channel.request
            if (request is not None and not channel.requests
                    and clock.monotonic() - request.began > self._request_timeout):
                request.error, request.completed, channel.request = self._late, True, None
                channel.requests.append(request)
                self.add_task(channel)

    def readable(self):
        return super().readable() and clock.monotonic() >= self._paused_until

    def accept(self):
        try:
            return super().accept()
        except OSError as error:
            if self._errors.is_final(error):
                raise
            # The socket stays readable: without a pause the loop would do nothing else.
            self._paused_until = clock.monotonic() + ACCEPT_RETRY
            return None

    def refuse(self):
        self.closing = True
        self.trigger.pull_trigger(lambda: wasyncore.dispatcher.close(self))

    def wait(self, timeout):
        """Wait until no client waits for an answer, for `timeout` seconds at most."""
        with clock.deadline(timeout) as left:
            while left() and any(channel.is_answer_due() for channel in list(self.active_channels.values())):
                clock.sleep(0.01)

    def stop(self):
        self.task_dispatcher.most = 0
        self.task_dispatcher.shutdown()
        with clock.deadline(FLUSH_TIMEOUT) as left:
            while left() and any(one.requests or one.total_outbufs_len for one in list(self.active_channels.values())):
                clock.sleep(0.01)
        # Woken by another thread, the loop must not close the trigger's descriptor before it is written to.
        pulled = locks.event()
        self.trigger.pull_trigger(lambda: pulled.wait() and wasyncore.close_all(self.sockets, ignore_all=True))
        pulled.set()


class _TCP(_RequestTimeouts, server.TcpWSGIServer):
    pass


class _Unix(_RequestTimeouts, server.UnixWSGIServer):
    pass


class _Refusal:
    """An answer that replaces waitress's own."""

    def __init__(self, answer):
        self._answer = answer

    def to_response(self, _ident=None):
        status, headers, body = self._answer
        return status, list(headers), body


class _Dropped:
    """Discards a body that is too large for the application, and counts its bytes."""

    def __init__(self, length):
        self._length = length

    def append(self, data):
        self._length += len(data)

    def __len__(self):
        return self._length

    def getfile(self):
        return io.BytesIO()

    def close(self):
        pass


def _channel(limits):
    class Parser(HTTPRequestParser):
        def __init__(self, adj):
            super().__init__(adj)
            self.began = clock.monotonic()

        def received(self, data):
            used = super().received(data)
            if self.error is not None and not isinstance(self.error, _Refusal):
                code = self.error.code if self.error.code < 500 else 400
                self.error = _Refusal(limits.refuse(code, f"{self.error.reason}: {self.error.body}."))
            elif self.body_bytes_received > limits.body and not isinstance(self.body_rcv.buf, _Dropped):
                self.body_rcv.buf = _Dropped(len(self.body_rcv.buf))
            return used

    class Channel(HTTPChannel):
        parser_class, has_received = Parser, False

        def received(self, data):
            self.has_received = True
            return super().received(data)

        def service(self):
            if self.server.closing:
                self.requests[0].headers["CONNECTION"] = "close"
            super().service()

        def is_answer_due(self):
            """Whether the client waits for an answer, or has just connected and may send a request."""
            new = not self.has_received and clock.time() - self.creation_time < FIRST_REQUEST
            return new or self.requests or self.request is not None or self.total_outbufs_len or self.close_when_flushed

    return Channel
