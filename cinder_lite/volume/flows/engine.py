"""Runs taskflow flows: serial, in memory, under a logging listener.

A flow runs within one call in one thread, and state that must survive the process is in the job's row. So an engine is
compiled and validated once and run many times, one run at a time, and its storage omits taskflow's locks against other
threads, copies of values, backend, and progress events.
"""

import contextlib
import functools
import logging
import typing

from cinder_lite import errors
from cinder_lite.concurrency import postponed, randomness
from cinder_lite.volume.flows import lazy_networkx

lazy_networkx.install()
# For tables of states, and for flows that are stored or sent: 3 MB.
for name in ("oslo_serialization.msgpackutils", "prettytable", "taskflow.utils.schema_utils"):
    postponed.postpone(name)

from taskflow import formatters, states, storage, task
from taskflow.engines.action_engine import engine as action_engine
from taskflow.listeners import logging as flow_logging
from taskflow.patterns import linear_flow
from taskflow.persistence import models


class Step(task.Task):
    """A task of a flow. Its inputs are the arguments of `execute`; `default_provides` names its result."""

    TASK_EVENTS = ()


class _Failures(formatters.FailureFormatter):
    """Formats errors with an explanation without a traceback."""

    def format(self, fail, atom_matcher):
        explained = isinstance(fail.exception, errors.Explained)
        return (None, f"    {fail.exception}") if explained else super().format(fail, atom_matcher)


class _Unlocked:
    """Dummy locks for storage used by one thread."""

    read_lock = write_lock = staticmethod(contextlib.nullcontext)


class _Storage(storage.Storage):
    """The state of one run at a time, changed in place."""

    def __init__(self, flow_detail, scope_fetcher):
        # Any backend other than None prevents the creation of one.
        super().__init__(flow_detail, backend=(), scope_fetcher=scope_fetcher)
        self._lock = _Unlocked

    def _with_connection(self, _save, kept, changed):
        kept.update(changed)
        return kept

    def _atomdetail_by_name(self, atom_name, expected_type=None, clone=False):
        return (super()._atomdetail_by_name(atom_name, expected_type)[0],) * 2


class _Engine(action_engine.SerialActionEngine):
    """Runs a flow any number of times, one run after the other."""

    storage: typing.Any = None

    def __init__(self, flow, log):
        detail = models.FlowDetail(flow.name, randomness.new_id())
        super().__init__(flow, detail, backend=None, options={"gather_statistics": False})
        self.storage = _Storage(detail, functools.cache(lambda name: list(self._runtime.fetch_scopes_for(name))))
        flow_logging.DynamicLoggingListener(self, log=log, failure_level=logging.DEBUG,
                                            fail_formatter=_Failures(self)).register()

    def validate(self):
        if not self._validated:
            super().validate()


class Flow(linear_flow.Flow):
    """Steps that run in this order. It can be run any number of times, also concurrently."""

    def __init__(self, name: str, *steps: Step) -> None:
        super().__init__(name)
        self.add(*steps)
        self.steps = [step.name for step in steps]
        #: Those that no thread runs at present.
        self.engines: list[_Engine] = []


def run(flow: Flow, log: logging.Logger, **inputs: object) -> dict:
    """Run a flow. Returns the steps' results by the names they provide.

    Raises the error of the failed step, after it and the steps before it were reverted.
    """
    try:
        engine = flow.engines.pop()
    except IndexError:
        engine = _Engine(flow, log)
    state = engine.storage
    state.inject(inputs, transient=True)
    engine.run()
    results = state.fetch_all()
    # After an error the engine is discarded, with all that it refers to; otherwise it is as new for the next run.
    state.inject(dict.fromkeys(inputs), transient=True)
    for step in flow.steps:
        state.reset(step)
    state.set_flow_state(states.PENDING)
    flow.engines.append(engine)
    return results
