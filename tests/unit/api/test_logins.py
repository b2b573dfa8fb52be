"""Checking passwords is bounded per source, wrong ones are delayed, and nobody is locked out."""

import contextlib
import itertools

import pytest

from cinder_lite import errors
from cinder_lite.api.auth.logins import LONGEST_DELAY, SLOTS_OF_ADDRESS, SLOTS_OF_NAME, Logins


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def logins(clock):
    return Logins(100, lambda: clock.now, clock.sleep)


def wrong(logins, name="ann", address="192.0.2.1"):
    assert logins.check(name, address, lambda: False) is False


def test_a_correct_password_is_accepted_after_failures(logins, clock):
    for _ in range(50):
        wrong(logins)
    clock.slept.clear()
    assert logins.check("ann", "192.0.2.1", lambda: True) is True
    assert clock.slept == []


def test_wrong_answers_are_delayed_more_and_more_up_to_a_limit(logins, clock):
    for _ in range(12):
        wrong(logins)
    assert clock.slept[:3] == [0, 0, 0]
    assert clock.slept == sorted(clock.slept) and clock.slept[-1] == LONGEST_DELAY


def test_other_names_and_addresses_are_not_delayed(logins, clock):
    for _ in range(6):
        wrong(logins)
    clock.slept.clear()
    wrong(logins, "ann", "192.0.2.2")
    wrong(logins, "bob", "192.0.2.3")
    assert clock.slept == [0, 0]


def test_one_address_that_tries_many_names_is_delayed(logins, clock):
    for name in range(12):
        wrong(logins, str(name))
    assert clock.slept[-1] > 0


def test_a_network_of_ipv6_is_one_place(logins, clock):
    for number in range(12):
        wrong(logins, "ann", f"2001:db8::{number:x}")
    assert clock.slept[-1] == LONGEST_DELAY


def test_old_failures_expire(logins, clock):
    for _ in range(12):
        wrong(logins)
    clock.now += 3600
    wrong(logins)
    assert clock.slept[-1] == 0


@pytest.mark.parametrize(("places", "most"), [
    ([("ann", "192.0.2.1")], SLOTS_OF_NAME), ([(str(n), "192.0.2.1") for n in range(99)], SLOTS_OF_ADDRESS),
    ([(str(n), f"192.0.2.{n}") for n in range(99)], 25)])
def test_so_many_are_checked_at_a_time(logins, places, most):
    """Each check starts another inside itself, like concurrent requests; the lock of the device is omitted."""
    logins._checking = contextlib.nullcontext()
    names, deepest = itertools.cycle(places), []

    def right():
        deepest.append(1)
        return logins.check(*next(names), right)

    with pytest.raises(errors.TooManyLogins) as refused:
        right()
    assert len(deepest) - 1 == most and refused.value.status == 429
    assert logins.check("ann", "192.0.2.1", lambda: True)
    assert not logins.slots.held


def test_a_failed_check_releases_its_slot(logins):
    for _ in range(50):
        with pytest.raises(ZeroDivisionError):
            logins.check("ann", "192.0.2.1", lambda: 1 / 0)
    assert logins.check("ann", "192.0.2.1", lambda: True)
