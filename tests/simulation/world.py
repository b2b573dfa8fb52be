"""A world of simulated processes in one thread: a virtual clock, and everything that could differ drawn from a seed.

It is eventlet's process with another hub: when no thread can run, the clock is set to the next timer. The doors of
`cinder_lite.concurrency` read that clock and draw from the seed; libraries get the time by patches, since they time out
as well. Each thread belongs to a node, a simulated process, which can be killed or paused between any two of the steps
that `World.reach` counts: statements, messages, calls of drivers, targets and stores.
"""

import hashlib
import os
import queue
import random
import sys
import threading
import time

import eventlet
import greenlet
from eventlet import hubs
from eventlet.hubs import poll, timer

from cinder_lite import concurrency
from cinder_lite.concurrency import clock, native_threads, randomness
from cinder_lite.host import host_lock

#: Green threads, and the same order of sets in each run.
ENVIRONMENT = {"CINDER_LITE_CONCURRENCY": "eventlet", "PYTHONHASHSEED": "0"}
#: The time at which a world begins, in seconds since 1970.
BEGIN = 1_800_000_000.0
#: Seconds within which timers are due at the same time.
INSTANT = 1e-6
#: The longest time, in seconds, that a call in another thread takes.
CALL = 0.05


def prepare():
    """Prepare this process for worlds, before anything else is imported; it starts again in another environment."""
    if not ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ENVIRONMENT})
    concurrency.patch()


class Node:
    """A simulated process. Its threads never run again once it is killed, not even their `finally` blocks."""

    def __init__(self, name):
        self.name, self.alive, self.resumes = name, True, 0.0
        self.host = name.partition("@")[2]
        #: By which its services claim jobs.
        self.instances = set()
        #: Kept until the end: a thread that nothing refers to would be ended by an exception.
        self.threads = []
        #: What the operating system does when the process ends: locks are released, connections are closed.
        self.when_killed = []

    def __repr__(self):
        return self.name

    def kill(self):
        self.alive = False
        for function in self.when_killed:
            function()


def node():
    """The node of the running thread; None for the network, clients and the world itself."""
    return getattr(greenlet.getcurrent(), "node", None)


class World:
    """One run. `rng` draws what happens; ids have a generator of their own, so that one more changes nothing else."""

    def __init__(self, seed):
        self.seconds = 0.0
        self.begin(seed)
        #: Host -> seconds by which its clock is ahead, and the time until which its cable is pulled.
        self.skews, self.cuts = {}, {}
        #: Where its files lie, which no run has in common with another.
        self.directory = "/nowhere"
        #: function(kind, *facts): called at each step, and may raise or kill.
        self.at_step = lambda kind, *facts: None

    def begin(self, seed):
        """Draw from a seed from now on, and begin the trace."""
        self.seed, self.rng, self.began = seed, random.Random(seed), self.seconds
        #: The last lines of the trace, for the story of a failure.
        self.events, self.steps, self.story, self._hash = 0, 0, [], hashlib.sha256()
        randomness.install(random.Random(f"ids of {seed}"))
        random.seed(seed)

    def install(self):
        """Make it the world of this process. No thread may have been started."""
        clock.install(self)
        concurrency.install(self)
        # Their order is the system's; here each item is a step of the thread that waits for them.
        native_threads.map_in_threads = lambda function, items, threads: (function(item) for item in items)
        # A machine has one boot, and its files have other inodes in each run.
        host_lock.HostLock.id = property(lambda lock: lock.path)
        # Libraries: what they read from the module, and what Python's own have imported from it.
        time.time, time.monotonic, time.perf_counter = self.time, self.monotonic, self.monotonic
        threading._time = queue.time = self.monotonic
        timer.Timer.__lt__ = lambda one, other: False  # eventlet's is by the address in memory
        hubs.use_hub(type("Hub", (Hub,), {"world": self}))

    # -- the clock (concurrency.clock.Clock)

    def monotonic(self):
        return self.seconds

    def time(self):
        on = node()
        return BEGIN + self.seconds + (self.skews.get(on.host, 0.0) if on is not None else 0.0)

    def cut(self, host):
        """Whether the host is without network now."""
        return self.cuts.get(host, 0.0) > self.seconds

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

    def start(self, on, function, *args):
        """Start a thread of a node."""
        hub = hubs.get_hub()
        thread = eventlet.greenthread.GreenThread(hub.greenlet)
        thread.node = on
        hub.schedule_call_global(0, thread.switch, function, args, {})
        return thread

    def wait_until(self, condition, what, seconds=600, interval=0.5):
        """The condition's value once it is true; AssertionError after so many seconds of the world."""
        end = self.seconds + seconds
        while not (found := condition()):
            assert self.seconds < end, f"waited {seconds} s in vain for {what}"
            eventlet.sleep(interval)
        return found

    # -- steps

    def reach(self, kind, longest, *facts):
        """A step of the running node: others run for a drawn time, and a fault may be due."""
        self.pause(longest)
        self.steps += 1
        self.record(kind, *facts)
        self.at_step(kind, *facts)

    def park(self):
        """Leave the running thread for ever if its node has been killed meanwhile."""
        if (mine := node()) is not None and not mine.alive:
            hubs.get_hub().switch()

    # -- the trace

    def record(self, *facts):
        """Append an event with its time to the trace."""
        self.events += 1
        line = self.seconds - self.began, self.steps, node(), *facts
        self.story.append(line)
        self._hash.update(repr(line).replace(self.directory, "").encode())

    @property
    def trace(self):
        """A hash of all events until now, in order."""
        return self._hash.hexdigest()


class Hub(poll.Hub):
    """Runs green threads by the world's clock; a new thread belongs to the node of the thread that starts it."""

    world = None

    @staticmethod
    def is_available():
        return True

    def __init__(self):
        super().__init__(clock=self.world.monotonic)

    def add_timer(self, timer):
        function, args, kwargs = timer.tpl
        thread = getattr(function, "__self__", None)
        if isinstance(thread, greenlet.greenlet):
            if not hasattr(thread, "node"):
                thread.node = node()
            if thread.node is not None and not thread:
                thread.node.threads.append(thread)
                timer.tpl = self._begin, (thread, function, *args), kwargs
        # The order of those that are due at the same time is drawn.
        due = self.world.seconds + timer.seconds + self.world.rng.random() * INSTANT
        self.next_timers.append((due, timer))
        return due

    def _begin(self, thread, function, *args, **kwargs):
        """Start a thread, unless its node has been killed since, or when that is not paused any more."""
        if thread.node.resumes > self.clock():
            later = thread.node.resumes - self.clock()
            self.schedule_call_global(later, self._begin, thread, function, *args, **kwargs)
        elif thread.node.alive:
            function(*args, **kwargs)

    def switch(self):
        """Run the others. Returns when the calling thread is woken up, of a paused node when the pause has ended."""
        mine = node()
        if mine is None:
            return super().switch()
        raised = returned = None
        try:
            returned = super().switch()
        except BaseException as error:  # noqa: BLE001 - whatever was thrown into the thread is for later
            raised = error
        while not mine.alive or mine.resumes > self.clock():
            if mine.alive:
                self.schedule_call_global(mine.resumes - self.clock(), greenlet.getcurrent().switch)
            try:
                super().switch()
            except BaseException as error:  # noqa: BLE001
                raised = raised or error
        if raised is not None:
            raise raised
        return returned

    def wait(self, seconds=None):
        """Serve descriptors that are ready; the next timer is then due."""
        super().wait(0)
        if seconds and not self.next_timers:
            self.world.seconds = max(self.world.seconds, self.timers[0][0])

    def default_sleep(self):
        raise AssertionError("every thread waits for another")
