"""Runs taskflow flows: serial, in memory, under a logging listener.

A flow runs within one call in one thread, and state that must survive the process is in the job's row. So the engine's
storage omits taskflow's locks against other threads, deep copies of values, and progress events, which halves the time
of a flow of three tasks.
"""

import contextlib
import logging
import typing

from cinder_lite import errors
from cinder_lite.volume.flows import lazy_networkx

lazy_networkx.install()

import taskflow.engines
from taskflow import formatters, task
from taskflow.listeners import logging as flow_logging
from taskflow.patterns import linear_flow
from taskflow.persistence.backends import impl_memory

Flow: typing.TypeAlias = linear_flow.Flow


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
    """Formats errors with an explanation without a traceback."""

    def format(self, fail, atom_matcher):
        explained = isinstance(fail.exception, errors.Explained)
        return (None, f"    {fail.exception}") if explained else super().format(fail, atom_matcher)


class _Unlocked:
    """Dummy locks for storage used by one thread."""

    read_lock = write_lock = staticmethod(contextlib.nullcontext)

    @staticmethod
    def is_writer(check_pending=True):
        return True


def sequence(name: str, *steps: Step) -> Flow:
    """A flow of the steps in this order. It can be run any number of times, also concurrently."""
    return Flow(name).add(*steps)


def run(flow: linear_flow.Flow, log: logging.Logger, **inputs: object) -> dict:
    """Run a flow. Returns the steps' results by the names they provide.

    Raises the error of the failed step, after it and the steps before it were reverted.
    """
    engine = taskflow.engines.load(flow, store=inputs, backend=_Memory())
    engine.storage._lock = _Unlocked()
    with flow_logging.DynamicLoggingListener(engine, log=log, failure_level=logging.DEBUG,
                                             fail_formatter=_Failures(engine)):
        engine.run()
    return engine.storage.fetch_all()
