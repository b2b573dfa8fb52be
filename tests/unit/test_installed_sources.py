"""The clock, locks, randomness and calls in threads come from what is installed, by default from the system."""

import datetime
import random
import threading
import time
import uuid

import pytest

from cinder_lite.concurrency import clock, locks, randomness


class Stopped:
    """A clock that only sleeping moves."""

    def __init__(self, seconds):
        self.seconds = seconds

    def time(self):
        return self.seconds

    def monotonic(self):
        return self.seconds / 10

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def installed():
    """Install a stopped clock, a seeded source and other locks until the test ends."""
    def install(clock_=time, source=None, kind=threading):
        clock.install(clock_)
        randomness.install(source or random.SystemRandom())
        locks.install(kind)
    yield install
    install()


def test_all_readings_are_those_of_the_installed_clock(installed):
    installed(clock_=Stopped(1_800_000_000.25))
    clock.sleep(60)
    clock.sleep_in_thread(0.5)
    assert (clock.time(), clock.monotonic()) == (1_800_000_060.75, 180_000_006.075)
    assert clock.now() == datetime.datetime(2027, 1, 15, 8, 1, 0, 750_000)


def test_the_systems_clock_is_the_default():
    before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    read = clock.now()
    assert before <= read + datetime.timedelta(milliseconds=1)
    assert read - before < datetime.timedelta(hours=1)


def drawn():
    return (randomness.new_id(), randomness.token_bytes(16), randomness.token_hex(8), randomness.choice("abcdef"),
            randomness.randrange(10**6), randomness.generator().random())


def test_a_seeded_source_draws_the_same_again(installed):
    draws = []
    for seed in (1, 1, 2):
        installed(source=random.Random(seed))
        draws.append(drawn())
    assert draws[0] == draws[1]
    assert all(one != other for one, other in zip(draws[0][:3], draws[2][:3]))


def test_secrets_are_cryptographic_by_default():
    assert isinstance(randomness._source, random.SystemRandom)


def test_ids_and_secrets_have_their_forms():
    ids = {randomness.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {(str(uuid.UUID(id)) == id, uuid.UUID(id).version, uuid.UUID(id).variant) for id in ids} == {
        (True, 4, uuid.RFC_4122)}
    assert (len(randomness.token_bytes(32)), len(randomness.token_hex(16))) == (32, 32)


def test_a_generator_with_a_seed_does_not_draw_from_the_source():
    assert randomness.generator(7).random() == random.Random(7).random()


def test_locks_are_of_the_installed_kind(installed):
    class Kind:
        Lock = RLock = Condition = Event = local = staticmethod(lambda: "of another kind")
        Semaphore = staticmethod(lambda places: places)

    installed(kind=Kind)
    made = [make() for make in (locks.lock, locks.rlock, locks.condition, locks.event, locks.local)]
    assert (made, locks.semaphore(3)) == (["of another kind"] * 5, 3)
