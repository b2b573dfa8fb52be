"""Native threads in either mode: compute many results at once, and the locks between them."""

import collections
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from cinder_lite import concurrency

Item = TypeVar("Item")
Result = TypeVar("Result")


def lock() -> threading.Lock:
    """A lock between native threads."""
    return concurrency.native("threading").Lock()


def event() -> threading.Event:
    """An event of native threads."""
    return concurrency.native("threading").Event()


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Generator[Result, None,
                                                                                                         None]:
    """Yield function(item) for each item in order, computed by so many native threads, never more than `2 * threads`
    ahead.

    For work that releases the interpreter's lock: hashing, compressing, reading. Call it from `in_thread` code. An
    error of the function is raised at the item's position; items that have not begun by then, or when the generator is
    closed, are dropped, and calls that run are waited for.
    """
    queue = concurrency.native("queue")
    tasks = queue.SimpleQueue()
    workers = [concurrency.native("threading").Thread(target=_work, args=(function, tasks), daemon=True)
               for _ in range(threads)]
    for worker in workers:
        worker.start()
    ahead: collections.deque[Any] = collections.deque()
    try:
        for item in items:
            ahead.append(queue.SimpleQueue())
            tasks.put((item, ahead[-1]))
            if len(ahead) >= 2 * threads:
                yield _result(ahead.popleft())
        while ahead:
            yield _result(ahead.popleft())
    finally:
        while not tasks.empty():
            with contextlib.suppress(queue.Empty):
                tasks.get_nowait()
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            worker.join()


def _work(function, tasks):
    for item, answer in iter(tasks.get, None):
        try:
            answer.put((function(item), None))
        except BaseException as error:  # raised again in the thread that takes the result
            answer.put((None, error))


def _result(answer):
    value, error = answer.get()
    if error is not None:
        raise error
    return value
