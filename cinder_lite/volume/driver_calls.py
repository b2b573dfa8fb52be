"""Calls methods of drivers and targets, which block, outside of the service's own threads."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from cinder_lite import concurrency
from cinder_lite.concurrency import clock

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Methods of drivers and targets whose names in the metric driver_call_seconds are older: a metric's labels stay.
LABELS = {"manage": "adopt", "manage_snapshot": "adopt_snapshot", "existing_volumes": "foreign_volumes",
          "existing_snapshots": "foreign_snapshots", "run_maintenance": "tend", "remove_all": "clear"}


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a method of a driver or target in a native thread; log and measure it."""
    began, outcome, name = clock.monotonic(), "failed", function.__name__
    try:
        result = concurrency.in_thread(function, *args, **kwargs)
        outcome = "done"
        return result
    finally:
        seconds = clock.monotonic() - began
        owner: Any = getattr(function, "__self__", function)
        on = getattr(owner, "backend", None) or type(owner).__name__
        if LOG.isEnabledFor(level := concurrency.log_level()):
            what = f" of {getattr(args[0], 'id', args[0])}" if args else ""
            LOG.log(level, "%s%s on %s %s in %.1f ms", name, what, on, outcome, seconds * 1000)
        if getattr(owner, "meter", None) is not None:
            owner.meter.observe("driver_call_seconds", seconds, on, LABELS.get(name, name), outcome)


def fenced(work: Any, function: Callable, *args: object) -> Any:
    """Make a call, guarded by the fence of a jobs.work.Work if the driver needs that."""
    with work.fence if function.__self__.needs_fence else contextlib.nullcontext():  # type: ignore[attr-defined]
        return call(function, *args)
