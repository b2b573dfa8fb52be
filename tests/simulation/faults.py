"""The faults of a world: drawn from its seed before it begins, each for the first fitting step after a number."""

import dataclasses

import eventlet
import greenlet

from cinder_lite.jobs import worker
from cinder_lite.states import lookup
from tests.simulation import database, network, storage, timers

CRASH, PAUSE = "crash", "pause"
#: The seconds before the end of a pause at which it is decided whether it ends.
MOMENT = 0.001
#: The same in the middle of a job, and right after a commit.
CRASH_AT_WORK, PAUSE_AT_WORK, CRASH_AFTER, PAUSE_AFTER = (
    "crash at work", "pause at work", "crash after commit", "pause after commit")
#: The same within the work on a job of an action, which is the value.
CRASH_IN_JOB, PAUSE_IN_JOB = "crash in job", "pause in job"
#: All of a host at once; its cable.
REBOOT, CABLE = "reboot", "cable"
WORK = ("driver", "driver done", "target", "target done", "store", "store done", "glance", "glance done", "copying")
#: All actions with jobs, as "kind action".
WORKED_ON = tuple(f"{kind} {row.name}" for kind, row in lookup.rows() if row.work)
#: The most steps of the work on a job after which it is interrupted.
DEPTH = 40
#: Kind of fault -> (kinds of steps at which it happens, None for any of a node; its values).
KINDS = {
    CRASH: (None, ()),
    PAUSE: (None, ()),
    REBOOT: (None, ()),
    CABLE: (None, ()),
    CRASH_AT_WORK: (WORK, ()),
    PAUSE_AT_WORK: (WORK, ()),
    CRASH_AFTER: (("committed",), ()),
    PAUSE_AFTER: (("committed",), ()),
    CRASH_IN_JOB: (None, WORKED_ON),
    PAUSE_IN_JOB: (None, WORKED_ON),
    "statement": (("statement",), (database.LOST_BEFORE, database.LOST_AFTER)),
    "message": (("message",), (network.LOST, network.TWICE, network.LATE)),
    "driver": (("driver",), (storage.FAILS, storage.ANSWER_LOST, storage.SLOW)),
    "target": (("target",), (storage.FAILS, storage.ANSWER_LOST, storage.SLOW)),
    "glance": (("glance",), (storage.FAILS, storage.ANSWER_LOST, storage.SLOW)),
    "store": (("store",), (storage.FAILS, storage.ANSWER_LOST, storage.SLOW)),
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """`kind` of KINDS, at the first fitting step from number `step` on; `value` is one of its values, `seconds` how
    long a node is down or paused."""

    step: int
    kind: str
    value: str
    seconds: float
    #: The steps of the work on a job before those of its kind that are "in job".
    depth: int = 0


def draw(rng, steps):
    """The faults of a run of about so many steps, from a half of the kinds: most runs have few, some many."""
    kinds = [kind for kind in KINDS if rng.random() < 0.6] or [CRASH]
    number, in_jobs = rng.choice((0, 1, 2, 2, 3, 4, 6, 8, 12)), rng.choice((0, 0, 3, 6, 12))
    found = [_one(rng, rng.choice(kinds), steps) for _ in range(number)]
    # Whatever the action is, few or many: rare ones are interrupted as often as others.
    found += [_one(rng, rng.choice((CRASH_IN_JOB, PAUSE_IN_JOB)), steps // 2) for _ in range(in_jobs)]
    return sorted(found, key=lambda fault: fault.step)


def _one(rng, kind, steps):
    values = KINDS[kind][1]
    return Fault(rng.randrange(steps), kind, rng.choice(values) if values else "", rng.choice((1, 5, 30, 90, 150, 300)),
                 int(DEPTH * rng.random() ** 2) if kind in (CRASH_IN_JOB, PAUSE_IN_JOB) else 0)


class Injector:
    """Causes the faults as their steps come."""

    def __init__(self, site):
        self.site, self.world, self.waiting, self.caused = site, site.world, [], []
        #: [kind of fault, "kind action" of a job that was under way then]
        self.covered = set()
        self.world.at_step = self.step

    def cause(self, faults):
        """Cause these from now on; their steps are counted from here."""
        self.waiting = [dataclasses.replace(one, step=one.step + self.world.steps) for one in faults]

    def stop(self):
        self.waiting = []

    def step(self, kind, *facts):
        thread = greenlet.getcurrent()
        on = getattr(thread, "node", None)
        if (work := getattr(thread, "work", None)) is not None:
            thread.work = work[0], work[1] + 1
        fault = next((one for one in self.waiting if one.step <= self.world.steps and self._fits(one, kind, on)), None)
        if fault is None:
            return
        self.waiting.remove(fault)
        self.caused.append((self.world.steps, fault, on))
        self.covered |= {(fault.kind, fault.value)} if fault.kind in (CRASH_IN_JOB, PAUSE_IN_JOB) else {
            (fault.kind, f"{row['kind']} {row['action']}") for row in self.site.rows(
                "SELECT kind, action FROM jobs WHERE status IN ('queued', 'running')")}
        self.world.record("fault", fault.kind, fault.value, fault.seconds)
        if fault.kind.startswith(CRASH):
            self.site.kill(self.site.role_of(on), fault.seconds)
            self.world.park()
        elif fault.kind == REBOOT:
            self.site.reboot(on.host, fault.seconds)
            self.world.park()
        elif fault.kind == CABLE:
            self.site.pull(on.host, fault.seconds)
        elif fault.kind.startswith(PAUSE):
            self._pause(on, fault.seconds)
        else:
            self.world.fault = fault.value

    def _fits(self, fault, kind, on):
        kinds = KINDS[fault.kind][0]
        if on is None or on not in self.site.nodes.values():
            return False
        if fault.kind.startswith(PAUSE) and self.site.server.writer is not None and self.site.server.writer[0] is on:
            return False  # the database would end its transaction at the end of the pause; it has no such limit here
        if fault.kind in (CRASH_IN_JOB, PAUSE_IN_JOB):
            action, steps = getattr(greenlet.getcurrent(), "work", None) or (None, 0)
            return action == fault.value and steps > fault.depth
        return kinds is None or kind in kinds

    def _pause(self, on, seconds):
        on.resumes = self.world.seconds + seconds
        self.world.start(None, self._look, on, seconds)
        self.world.sleep(0)

    def _look(self, on, seconds):
        """Just before a paused node goes on, end it if the kernel would have."""
        eventlet.sleep(seconds - MOMENT)
        if on.alive and timers.is_ended(on):
            self.site.kill(self.site.role_of(on), timers.DOWN)


def mark_work():
    """Give each thread that works on a job the action and the number of steps."""
    original = worker.Worker._work

    def work(self, work):
        greenlet.getcurrent().work = f"{work.job.kind} {work.job.action}", 0
        try:
            original(self, work)
        finally:
            greenlet.getcurrent().work = None

    worker.Worker._work = work
