"""Waiting, spawning, pools and servers: the one door to eventlet and to native threads.

The mode is `eventlet` unless the environment says `CINDER_LITE_CONCURRENCY=threading`. `patch()` is the first
thing that an entry point calls, before anything else is imported.
"""

import collections
import contextlib
import ctypes
import importlib
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
import warnings

from cinder_lite.concurrency import http_limits

LOG = logging.getLogger(__name__)

MODE = os.environ.get("CINDER_LITE_CONCURRENCY", "eventlet")
GREEN = MODE == "eventlet"


def patch():
    """Make the standard library cooperative when the mode is eventlet; does nothing in threading mode."""
    if MODE not in ("eventlet", "threading"):
        sys.exit(f"CINDER_LITE_CONCURRENCY is '{MODE}'; it can be 'eventlet' or 'threading'")
    _spare_memory()
    # Libraries import eventlet in either mode.
    warnings.filterwarnings("ignore", message=r"(?s).*Eventlet is deprecated")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="eventlet")
    if GREEN:
        # psycopg's C wait loop would stop every other green thread of the process.
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_select")
        # eventlet's own resolver takes 15 MB and does not follow nsswitch.conf; names are looked up once a connection.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        import eventlet

        eventlet.monkey_patch()
        # Native threads that log at once would wait for each other in a green lock, which only one of them can leave.
        logging._lock = native("threading").RLock()
        _remember_current_thread()


def _spare_memory():
    """Let all threads take memory from two arenas of the C library instead of from one each (mallopt(3))."""
    m_arena_max = -8
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(m_arena_max, 2)


def _remember_current_thread():
    """Keep each greenlet's thread object with it: eventlet looks through all threads at every call of current_thread,
    which every lock of taskflow and every line of a log makes."""
    import greenlet

    find = threading.current_thread

    def current_thread():
        here = greenlet.getcurrent()
        try:
            return here.cinder_lite_thread
        except AttributeError:
            here.cinder_lite_thread = found = find()
            return found

    threading.current_thread = current_thread


def in_thread(function, *args, **kwargs):
    """Run a call that blocks (device input and output, C libraries) without stopping the other work of the process.

    Returns what the function returns and raises what it raises.
    """
    if not GREEN or threading.get_native_id() != os.getpid():  # in a native thread already: only the first one is green
        return function(*args, **kwargs)
    if _THREADS.pid != os.getpid():
        _THREADS.begin()
    return _THREADS.call(function, args, kwargs)


class _Threads:
    """Native threads in which green ones have calls made: as many as there are calls under way, kept for later ones.

    There is no upper limit, since the callers have theirs: calls that hang on one device must not hold up those for others.
    """

    def __init__(self):
        self.pid = None

    def begin(self):
        """Start anew, with nothing that belongs to a process which this one was forked from."""
        # For whom a thread works, as the log says. Imported after `patch`, so that it is known of each green thread.
        from oslo_context import context

        self._asker = context._request_store
        self.pid, self._idle, self._ended = os.getpid(), [], collections.deque()
        self._woken, self._wake = os.pipe()
        spawn(self._deliver, self._woken)

    def call(self, function, args, kwargs):
        from eventlet import event

        ended = event.Event()
        tasks = self._idle.pop() if self._idle else self._new()
        tasks.put((ended, getattr(self._asker, "context", None), function, args, kwargs))
        return ended.wait()

    def _new(self):
        tasks = native("queue").SimpleQueue()
        native("threading").Thread(target=self._run, args=(tasks, self._wake), daemon=True).start()
        return tasks

    def _run(self, tasks, wake):
        while True:
            ended, self._asker.context, function, args, kwargs = tasks.get()
            try:
                outcome = function(*args, **kwargs), None
            except BaseException as error:  # it belongs to the caller
                outcome = None, error
            self._ended.append((ended, outcome, tasks))
            ended = function = args = kwargs = outcome = None
            native("os").write(wake, b"+")

    def _deliver(self, woken):
        from eventlet import hubs

        while True:
            hubs.trampoline(woken, read=True)
            native("os").read(woken, 4096)
            while self._ended:
                ended, (value, error), tasks = self._ended.popleft()
                self._idle.append(tasks)
                if error is None:
                    ended.send(value)
                else:
                    ended.send_exception(error)


_THREADS = _Threads()


def log_level():
    """At which level work on devices is logged: what somebody has asked for higher than what is done by itself."""
    from oslo_context import context

    return logging.DEBUG if context.get_current() is None else logging.INFO


def sleep_in_thread(seconds):
    """Wait in a native thread, without a thought to green ones."""
    native("time").sleep(seconds)


def run_command(argv, stdin=None, timeout=60, env=None):
    """Run a command and return its standard output as text.

    `argv` is a list, never a shell line; `timeout` is in seconds; `env` is added to the environment. Raises
    subprocess.CalledProcessError (with `stderr`) when the command ends with another status than 0, and
    subprocess.TimeoutExpired after killing it.
    """
    return in_thread(_run_command, argv, stdin, timeout, env)


def _run_command(argv, stdin, timeout, env):
    original = native("subprocess")
    LOG.debug("running '%s'", shlex.join(argv))
    try:
        done = original.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, close_fds=True,
                            env={**os.environ, **env} if env else None)
    except original.TimeoutExpired as late:  # another class than subprocess.TimeoutExpired when patched
        raise subprocess.TimeoutExpired(late.cmd, late.timeout, late.output, late.stderr) from None
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return done.stdout


def follow_command(argv, seen):
    """Run a command for as long as it takes, and call seen(bytes) with its output as it comes; killed when that raises.

    It is killed as well when this process dies. Raises subprocess.CalledProcessError like `run_command`.
    """
    return in_thread(_follow_command, argv, seen)


def _follow_command(argv, seen):
    original = native("subprocess")
    LOG.debug("running '%s'", shlex.join(argv))
    with original.Popen(["setpriv", "--pdeathsig", "KILL", *argv], stdin=original.DEVNULL, stdout=original.PIPE,
                        stderr=original.STDOUT) as running:
        try:
            said = b""
            while data := running.stdout.read1(4096):
                said = (said + data)[-4096:]
                seen(data)
        except BaseException:
            running.kill()
            raise
    if running.returncode != 0:
        raise subprocess.CalledProcessError(running.returncode, argv, stderr=said.decode(errors="replace"))


def native(name):
    """A module of the standard library as it is without eventlet, for code that runs in native threads alone."""
    if not GREEN:
        return importlib.import_module(name)
    from eventlet import patcher

    return patcher.original(name)


def spawn(function, *args, **kwargs):
    """Start a green or native daemon thread and return it; `kill` ends a green one early."""
    if GREEN:
        import eventlet

        return eventlet.spawn(function, *args, **kwargs)
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


class Pool:
    """At most `size` calls at a time; further ones wait in line. `drain` waits for what runs."""

    def __init__(self, size):
        self._free = threading.Semaphore(size)
        self._running = 0
        self._changed = threading.Condition()

    def submit(self, function, *args):
        with self._changed:
            self._running += 1
        spawn(self._call, function, args)

    def _call(self, function, args):
        try:
            with self._free:
                function(*args)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def outside(self):
        """Within one of its calls: while the block waits for another service, another call takes the place."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()

    @property
    def running(self):
        return self._running

    def drain(self, timeout):
        """Wait up to `timeout` seconds until nothing runs; True when that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, timeout)


class Periodic:
    """Call a function every `interval` seconds in a thread of its own until stopped; one that raises is logged and tried again.

    The function is first called one interval after `start` (at once with `now=True`), and at once after `kick`.
    """

    def __init__(self, interval, function, on_error):
        self.interval, self.function, self.on_error = interval, function, on_error
        self._stop = False
        self._wake = threading.Event()
        self._thread = None

    def start(self, now=False):
        self._thread = spawn(self._loop, now)

    def kick(self):
        self._wake.set()

    def stop(self):
        self._stop = True
        self._wake.set()

    def _loop(self, now):
        if now:
            self._once()
        while not self._stop:
            self._wake.wait(self.interval)
            self._wake.clear()
            if not self._stop:
                self._once()

    def _once(self):
        try:
            self.function()
        except Exception as error:
            self.on_error(error)


def map_in_threads(function, items, threads):
    """Yield function(item) for each item in order, computed by so many native threads, never more than `2 * threads` ahead.

    For work that releases the interpreter's lock: hashing, compressing, reading. Call it from `in_thread` code. An
    error of the function is raised in the item's turn; what has not begun by then, or when the caller stops taking
    results, is dropped, and what runs is waited for.
    """
    tasks = native("queue").SimpleQueue()
    workers = [native("threading").Thread(target=_work, args=(function, tasks), daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ahead = collections.deque()
    try:
        for item in items:
            ahead.append(native("queue").SimpleQueue())
            tasks.put((item, ahead[-1]))
            if len(ahead) >= 2 * threads:
                yield _result(ahead.popleft())
        while ahead:
            yield _result(ahead.popleft())
    finally:
        while not tasks.empty():
            with contextlib.suppress(native("queue").Empty):
                tasks.get_nowait()
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            worker.join()


def _work(function, tasks):
    for item, answer in iter(tasks.get, None):
        try:
            answer.put((function(item), None))
        except BaseException as error:  # it belongs to the thread that takes the result
            answer.put((None, error))


def _result(answer):
    value, error = answer.get()
    if error is not None:
        raise error
    return value


@contextlib.contextmanager
def deadline(seconds):
    """Give a function `left()` that answers how many of so many seconds remain, never below 0."""
    end = time.monotonic() + seconds
    yield lambda: max(0.0, end - time.monotonic())


def listen(host, port=None, backlog=1024):
    """A listening TCP socket, IPv4 or IPv6, that a restarted service can bind again at once; without a port, of a path."""
    import socket

    if port is None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(host)
        sock.listen(backlog)
        return sock
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it: without, the second segment of an answer waits 40 ms for the client's delayed ACK.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((host, port))
    sock.listen(backlog)
    return sock


def take_over(descriptor, host, port):
    """The listening socket behind a descriptor of another process's, if it listens there; else it ceases to listen."""
    import socket

    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listens and sock.getsockname()[:2] in [found[4][:2] for found in socket.getaddrinfo(host, port, type=sock.type)]:
        return sock
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    return None


class WSGIServer:
    """Serve a WSGI application on a listening socket: eventlet's server, or waitress on native threads.

    The application sees a request when all of it is here, so that slow clients hold their connections and nothing else.
    """

    def __init__(self, sock, application, limits, log):
        self.sock, self.limits, self.log = sock, limits, log
        self._application, self._server = application, None
        self._slots, self._counting = threading.Semaphore(limits.requests), threading.Lock()
        self._busy, self._clients = 0, http_limits.Clients()

    def application(self, environ, start_response):
        """The application, counting the requests under way: idle connections must not hold up the end."""
        with self._counting:
            self._busy += 1
        try:
            with self._slots:
                return self._application(environ, start_response)
        finally:
            with self._counting:
                self._busy -= 1

    @property
    def busy(self):
        """How many requests are under way."""
        return self._busy

    def start(self):
        http_limits.allow_files(self.limits.connections)
        if GREEN:
            self._server = spawn(self._serve_green)
        else:
            from cinder_lite.concurrency import http_waitress

            self._server = http_waitress.made(self.sock, self.application, self.limits)
            spawn(self._server.run)

    def _serve_green(self):
        import eventlet
        from eventlet import wsgi

        clients = self._clients

        class Pool(eventlet.GreenPool):
            def spawn(self, function, connection):
                # Idle connections are cut off at the end, but not those that have just come.
                clients.came(id(connection))
                connection[2] = wsgi.STATE_REQUEST
                thread = super().spawn(function, connection)
                thread.link(lambda _: clients.left(id(connection)))
                return thread

        wsgi.server(http_limits.Listener(self.sock), self.application, custom_pool=Pool(self.limits.connections), log=self.log, log_output=False,
                    keepalive=True, socket_timeout=self.limits.idle, debug=False, url_length_limit=self.limits.head,
                    protocol=http_limits.protocol(wsgi.HttpProtocol, eventlet.Timeout, self.limits, clients))

    def stop(self, timeout):
        """Stop taking connections and wait up to `timeout` seconds for clients that wait for their answers."""
        if self._server is None:
            return
        if GREEN:
            self._server.kill()
            self.sock.close()
            self._clients.wait(timeout)
        else:
            self._server.refuse()
            self._server.wait(timeout)
            self._server.stop()
