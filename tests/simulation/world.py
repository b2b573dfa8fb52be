"""A process with a virtual clock, in which the order of threads, delays, losses, ids and secrets come from a seed.

It is eventlet's process with another hub: when no thread can run, the clock is set to the next timer. The doors of
`cinder_lite.concurrency` read that clock and draw from the seed; libraries get the time by patches, since they time out
as well.
"""

import hashlib
import os
import queue
import random
import sys
import threading
import time
from typing import NamedTuple

import eventlet
from eventlet import hubs
from eventlet.hubs import poll

from cinder_lite import concurrency
from cinder_lite.concurrency import clock, randomness

#: Green threads, and the same order of sets in each run.
ENVIRONMENT = {"CINDER_LITE_CONCURRENCY": "eventlet", "PYTHONHASHSEED": "0"}
#: The time at which a world begins, in seconds since 1970.
BEGIN = 1_800_000_000.0
#: The longest time, in seconds, that a call in another thread takes, and a statement.
CALL, STATEMENT = 0.05, 0.002


def prepare():
    """Prepare this process for worlds, before anything else is imported; it starts again in another environment."""
    if not ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ENVIRONMENT})
    concurrency.patch()


class World:
    """One run. `rng` draws what happens; ids have a generator of their own, so that one more changes nothing else."""

    def __init__(self, seed):
        self.seed, self.rng, self.seconds = seed, random.Random(seed), 0.0
        self.events, self._hash = 0, hashlib.sha256()

    def install(self):
        """Make it the world of this process. No thread may have been started."""
        clock.install(self)
        randomness.install(random.Random(f"ids of {self.seed}"))
        concurrency.install(self)
        random.seed(self.seed)
        # Libraries: what they read from the module, and what Python's own have imported from it.
        time.time, time.monotonic, time.perf_counter = self.time, self.monotonic, self.monotonic
        threading._time = queue.time = self.monotonic
        hubs.use_hub(type("Hub", (Hub,), {"world": self}))

    # -- the clock (concurrency.clock.Clock)

    def monotonic(self):
        return self.seconds

    def time(self):
        return BEGIN + self.seconds

    def sleep(self, seconds):
        eventlet.sleep(seconds)

    # -- threads

    def call(self, function, args, kwargs):
        """Run a call of `in_thread`: after a drawn delay, without a native thread."""
        self.pause(CALL)
        return function(*args, **kwargs)

    def pause(self, longest):
        """Let the others run for a drawn time."""
        eventlet.sleep(self.rng.uniform(0, longest))

    def wait_until(self, condition, what, seconds=600):
        """The condition's value once it is true; AssertionError after so many seconds of the world."""
        end = self.seconds + seconds
        while not (found := condition()):
            assert self.seconds < end, f"waited {seconds} s in vain for {what}"
            eventlet.sleep(0.5)
        return found

    # -- the trace

    def record(self, *facts):
        """Append an event with its time to the trace."""
        self.events += 1
        self._hash.update(repr((self.seconds, *facts)).encode())

    @property
    def trace(self):
        """A hash of all events until now, in order."""
        return self._hash.hexdigest()

    def watch(self, engine):
        """Record each statement with its values, and let others run before it."""
        import sqlalchemy as sa

        def executed(_connection, _cursor, statement, parameters, _context, _many):
            self.pause(STATEMENT)
            self.record("statement", statement, parameters)

        sa.event.listen(engine, "before_cursor_execute", executed)


class Due(NamedTuple):
    """A timer in the hub's heap; of those with the same time the one with the lower draw is first."""

    seconds: float
    timer: object
    draw: float

    def __lt__(self, other):
        return (self.seconds, self.draw) < (other.seconds, other.draw)


class Hub(poll.Hub):
    """Runs green threads by the world's clock."""

    world = None

    @staticmethod
    def is_available():
        return True

    def __init__(self):
        super().__init__(clock=self.world.monotonic)

    def add_timer(self, timer):
        due = Due(self.clock() + timer.seconds, timer, self.world.rng.random())
        self.next_timers.append(due)
        return due.seconds

    def wait(self, seconds=None):
        """Serve descriptors that are ready; the next timer is then due."""
        super().wait(0)
        if seconds and not self.next_timers:
            self.world.seconds = max(self.world.seconds, self.timers[0].seconds)

    def default_sleep(self):
        raise AssertionError("every thread waits for another")
