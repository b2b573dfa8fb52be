"""Leaves places of a worker to others while jobs wait for Glance or Nova, which may not answer."""

import contextlib
from collections.abc import Callable, Iterator

from cinder_lite.concurrency import bulkhead
from cinder_lite.jobs import outcomes


class Shares(dict[str, str]):
    """A third of a worker's places for the jobs that wait for one service; the further ones wait without a thread.

    It is {id of a job that waits for a place: service}, oldest first. A job is `in` it while all places of its service
    are held, and the sweep leaves it alone.
    """

    def __init__(self, size: int, wake: Callable[[str], object]) -> None:
        """`size` is the number of the worker's places; wake(job id) runs a job."""
        super().__init__()
        self._places, self._size, self._wake = bulkhead.Places(), max(1, size // 3), wake

    def __contains__(self, job_id: object) -> bool:
        service = self.get(str(job_id))
        return service is not None and self._is_full(service)

    def _is_full(self, service):
        return self._places.held[service] >= self._size

    @contextlib.contextmanager
    def place(self, job_id: str, service: str) -> Iterator[None]:
        """Hold a place for a job that waits for the service. Raises Interrupted until one is free."""
        try:
            with self._places.hold({service: self._size}):
                self.pop(job_id, None)
                yield
        except bulkhead.Full as full:
            self[job_id] = service
            raise outcomes.Interrupted from full
        finally:
            self._wake_next(service)

    def _wake_next(self, service):
        """Run the job that has waited longest, if a place is free. If it has ended meanwhile, the sweep runs others."""
        waiting = next((id for id, its in list(self.items()) if its == service), None)
        if waiting is not None and not self._is_full(service):
            self.pop(waiting, None)
            self._wake(waiting)
