"""Runs taskflow flows: serial, in memory, under a logging listener.

A flow runs within one call in one thread, and state that must survive the process is in the job's row. So an engine is
compiled and validated once and run many times, one run at a time, and its storage omits taskflow's locks against other
threads, copies of values, backend, and progress events.
"""

import contextlib
import functools
import logging

from cinder_lite import errors
from cinder_lite.concurrency import randomness
from cinder_lite.volume.flows import lazy_networkx

lazy_networkx.install()

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

    @staticmethod
    def is_writer(check_pending=True):
        return True


class _Storage(storage.Storage):
    """The state of one run at a time, changed in place."""

    def __init__(self, flow_detail, scope_fetcher):
        # Any backend other than None prevents the creation of one.
        super().__init__(flow_detail, backend=(), scope_fetcher=scope_fetcher)
        self._lock = _Unlocked()

    def _with_connection(self, _save, kept, changed):
        kept.update(changed)
        return kept

    def _atomdetail_by_name(self, atom_name, expected_type=None, clone=False):
        found, _ = super()._atomdetail_by_name(atom_name, expected_type)
        return found, found


class _Engine(action_engine.SerialActionEngine):
    """Runs a flow any number of times, one run after the other; it is compiled and validated once."""

    def __init__(self, flow, log):
        detail = models.FlowDetail(flow.name, randomness.new_id())
        super().__init__(flow, detail, backend=None, options={"gather_statistics": False})
        self._steps = [step.name for step, _ in flow.iter_nodes()]
        flow_logging.DynamicLoggingListener(self, log=log, failure_level=logging.DEBUG,
                                            fail_formatter=_Failures(self)).register()

    @functools.cached_property
    def storage(self):
        return _Storage(self._flow_detail, functools.cache(lambda name: list(self._runtime.fetch_scopes_for(name))))

    def validate(self):
        if not self._validated:
            super().validate()

    def clear(self, inputs):
        """Remove inputs and results, and prepare the next run, after a run that succeeded."""
        self.storage.inject(dict.fromkeys(inputs), transient=True)
        for step in self._steps:
            self.storage.reset(step)
        self.storage.set_flow_state(states.PENDING)


class Flow(linear_flow.Flow):
    """Steps in their order, and the engines that no thread runs at present."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.engines: list[_Engine] = []


def sequence(name: str, *steps: Step) -> Flow:
    """A flow of the steps in this order. It can be run any number of times, also concurrently."""
    return Flow(name).add(*steps)


def run(flow: Flow, log: logging.Logger, **inputs: object) -> dict:
    """Run a flow. Returns the steps' results by the names they provide.

    Raises the error of the failed step, after it and the steps before it were reverted.
    """
    try:
        engine = flow.engines.pop()
    except IndexError:
        engine = _Engine(flow, log)
    engine.storage.inject(inputs, transient=True)
    # After an error the engine is discarded, and with it the state in which the error left it.
    engine.run()
    results = engine.storage.fetch_all()
    engine.clear(inputs)
    flow.engines.append(engine)
    return results
