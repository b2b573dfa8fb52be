"""Runs taskflow flows: serial, in memory, under a logging listener.

A flow here lives within one call and one thread, and what has to outlive the process is in the job's row. So the
engine's storage does without what taskflow offers beyond that: locks against other threads, deep copies of every value,
and progress events. That halves the time of a flow of three tasks.
"""

import contextlib
import logging

from cinder_lite import errors
from cinder_lite.volume.flows import lazy_networkx

lazy_networkx.spare()

import taskflow.engines
from taskflow import formatters, task
from taskflow.listeners import logging as flow_logging
from taskflow.patterns import linear_flow
from taskflow.persistence.backends import impl_memory


class Step(task.Task):
    """A task of a flow. Its inputs are the arguments of `execute`; `default_provides` names its result."""

    TASK_EVENTS = ()


class _Connection(impl_memory.Connection):
    @contextlib.contextmanager
    def _memory_lock(self, write=False):
        yield


class _Memory(impl_memory.MemoryBackend):
    """Storage of one flow, for one thread."""

    def __init__(self):
        super().__init__({"deep_copy": False})
        self._connection = _Connection(self)

    def get_connection(self):
        return self._connection


class _Failures(formatters.FailureFormatter):
    """A failure that says what it is needs no traceback."""

    def format(self, fail, atom_matcher):
        explained = isinstance(fail.exception, errors.Explained)
        return (None, f"    {fail.exception}") if explained else super().format(fail, atom_matcher)


class _Unlocked:
    """The locks of storage that one thread uses."""

    read_lock = write_lock = staticmethod(contextlib.nullcontext)

    @staticmethod
    def is_writer(check_pending=True):
        return True


def line(name, *steps):
    """A flow of the steps one after the other. Made once, it can run any number of times, also at the same time."""
    return linear_flow.Flow(name).add(*steps)


def run(flow, log, **inputs):
    """Run a flow; returns the steps' results by the names they provide.

    Raises what the failed step raised, after the steps before it and itself were reverted.
    """
    engine = taskflow.engines.load(flow, store=inputs, backend=_Memory())
    engine.storage._lock = _Unlocked()
    with flow_logging.DynamicLoggingListener(engine, log=log, failure_level=logging.DEBUG, fail_formatter=_Failures(engine)):
        engine.run()
    return engine.storage.fetch_all()
