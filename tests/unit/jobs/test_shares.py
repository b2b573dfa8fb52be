"""The jobs that wait for one service leave places to others, and run in turn."""

import contextlib

import pytest

from cinder_lite.jobs import outcomes, shares


class Woken(list):
    """The ids of jobs that were woken."""

    def __call__(self, job_id):
        self.append(job_id)


@pytest.fixture
def woken():
    return Woken()


def hold(places, *ids, service="Glance"):
    """Give each job a place; an ExitStack that releases them."""
    held = contextlib.ExitStack()
    for one in ids:
        held.enter_context(places.place(one, service))
    return held


def refused(places, job_id, service="Glance"):
    with pytest.raises(outcomes.Interrupted), places.place(job_id, service):
        raise AssertionError("it got a place")


def test_a_third_of_the_places_and_at_least_one(woken):
    for size, third in ((1, 1), (2, 1), (3, 1), (64, 21)):
        places = shares.Shares(size, woken)
        with hold(places, *(str(n) for n in range(third))):
            refused(places, "next")
            with hold(places, "another", service="Nova"):
                assert "next" in places and "another" not in places


def test_those_that_wait_get_places_in_turn(woken):
    places = shares.Shares(3, woken)
    held = hold(places, "a")
    refused(places, "b")
    refused(places, "c")
    assert woken == [] and "b" in places
    held.close()
    assert woken == ["b"] and "b" not in places
    with hold(places, "b"):
        assert "c" in places
    assert woken == ["b", "c"] and not places


def test_a_job_that_ended_while_it_waited_keeps_no_other_from_the_sweep(woken):
    places = shares.Shares(3, woken)
    with hold(places, "a"):
        refused(places, "ended")
        refused(places, "c")
    assert woken == ["ended"] and "c" not in places
    with hold(places, "c"):
        assert not places


def test_a_job_that_fails_gives_its_place_back(woken):
    places = shares.Shares(3, woken)
    with contextlib.suppress(ValueError), places.place("a", "Glance"):
        refused(places, "b")
        raise ValueError
    assert woken == ["b"]
