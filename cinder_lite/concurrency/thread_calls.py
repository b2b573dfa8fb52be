"""Run calls of green threads in native threads, which are kept for later calls."""

import collections
import contextlib
import os
from collections.abc import Callable
from typing import Any


def forget_request() -> None:
    """Remove the request that this thread has worked for from its further log lines."""
    from oslo_context import context

    with contextlib.suppress(AttributeError):
        del context._request_store.context


class ThreadCalls:
    """Native threads for the calls of green ones: as many as there are calls under way.

    There is no upper limit, since the callers have theirs: calls that hang on one device must not hold up those for
    others. `native` and `spawn` are those of cinder_lite.concurrency.
    """

    def __init__(self, native: Callable[[str], Any], spawn: Callable[..., Any]):
        self._native, self._spawn = native, spawn
        self.pid: int | None = None

    def begin(self) -> None:
        """Start anew in a forked process, with nothing of its parent."""
        # The request that a thread works for, as log lines show it. Imported after `patch`, so that it is local to
        # each green thread.
        from oslo_context import context

        self._requests = context._request_store
        self._idle: list[Any] = []
        self._ended: collections.deque[Any] = collections.deque()
        self._os = self._native("os")
        self._woken, self._wake = os.pipe()
        self.pid = os.getpid()
        self._spawn(self._deliver, self._woken)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function's result, once a native thread has run it; its errors are raised here."""
        from eventlet import event

        if self.pid != os.getpid():
            self.begin()
        ended = event.Event()
        tasks = self._idle.pop() if self._idle else self._new()
        tasks.put((ended, getattr(self._requests, "context", None), function, args, kwargs))
        return ended.wait()

    def _new(self):
        tasks = self._native("queue").SimpleQueue()
        self._native("threading").Thread(target=self._run, args=(tasks, self._wake), daemon=True).start()
        return tasks

    def _run(self, tasks, wake):
        while True:
            ended, self._requests.context, function, args, kwargs = tasks.get()
            try:
                outcome = function(*args, **kwargs), None
            except BaseException as error:  # raised again in the caller
                outcome = None, error
            self._ended.append((ended, outcome, tasks))
            ended = function = args = kwargs = outcome = None
            self._os.write(wake, b"+")

    def _deliver(self, woken):
        from eventlet import hubs

        while True:
            hubs.trampoline(woken, read=True)
            self._os.read(woken, 4096)
            while self._ended:
                ended, (value, error), tasks = self._ended.popleft()
                self._idle.append(tasks)
                if error is None:
                    ended.send(value)
                else:
                    ended.send_exception(error)
