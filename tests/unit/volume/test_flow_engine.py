"""The engine of flows: one that has run a flow runs it again, as if it were new."""

import gc
import logging
import weakref

import pytest

from cinder_lite import errors
from cinder_lite.volume.flows import engine

LOG = logging.getLogger(__name__)


class Double(engine.Step):
    default_provides = "doubled"

    def __init__(self, reverted):
        super().__init__()
        self.reverted = reverted

    def execute(self, number):
        return number * 2

    def revert(self, number, result, **_):
        self.reverted.append((number, result))


class Call(engine.Step):
    """Calls the input `act` with the result of the step before."""

    default_provides = "called"

    def execute(self, doubled, act):
        return act(doubled)


class Thing:
    pass


@pytest.fixture
def reverted():
    return []


@pytest.fixture
def flow(reverted):
    return engine.Flow("flow", Double(reverted), Call())


def run(flow, number, act=str):
    return engine.run(flow, LOG, number=number, act=act)


def refuse(number):
    raise errors.BadRequest(f"not {number}")


def test_each_run_has_the_results_of_its_own_inputs(flow, reverted):
    assert [run(flow, number) for number in range(3)] == [
        {"doubled": number * 2, "called": str(number * 2), "number": number, "act": str} for number in range(3)]
    assert len(flow.engines) == 1
    assert reverted == []


def test_after_an_error_the_steps_are_reverted_and_the_next_run_succeeds(flow, reverted):
    run(flow, 1)
    with pytest.raises(errors.BadRequest, match="not 4"):
        run(flow, 2, refuse)
    assert reverted == [(2, 4)]
    assert run(flow, 3)["called"] == "6"
    assert reverted == [(2, 4)]


def test_a_run_within_a_run_has_a_state_of_its_own(flow):
    run(flow, 1)
    found = run(flow, 5, lambda doubled: (doubled, run(flow, 7)["called"]))
    assert found["called"] == (10, "14")
    assert len(flow.engines) == 2


def test_inputs_and_results_are_released_after_a_run(flow):
    made = []

    def make(_):
        thing = Thing()
        made.append(weakref.ref(thing))
        return thing

    assert isinstance(run(flow, 1, make)["called"], Thing)
    given = weakref.ref(make)
    del make
    gc.collect()
    assert (made[0](), given()) == (None, None)


def test_a_step_without_an_input_is_refused(flow):
    with pytest.raises(Exception, match="act"):
        engine.run(flow, LOG, number=1)


def test_transitions_are_logged_for_the_flow_and_its_steps(flow, caplog):
    run(flow, 1)
    with caplog.at_level(logging.DEBUG, LOG.name):
        run(flow, 2)
    text = caplog.text
    assert "Flow 'flow'" in text and "into state 'SUCCESS' from state 'RUNNING'" in text
    assert text.count("with result '4'") == 2
