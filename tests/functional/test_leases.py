"""An attempt whose lease ended stops; it removes what it has left only if no other worker may use that."""


import pytest

from cinder_lite import conf, context, errors, states
from cinder_lite.concurrency import clock
from cinder_lite.db import job_changes, job_queries, jobs
from cinder_lite.jobs.worker import Worker
from tests import databases

HOST = "one@lvm"


@pytest.fixture
def database(tmp_path):
    with databases.synced(tmp_path) as found:
        yield found


@pytest.fixture
def run(database):
    """Runs a job, which has no status, by a handler; returns its row."""
    with database.write() as tx:
        id = jobs.add(tx, context.Context(), "leftover", "1", "remove", states.VOLUME, HOST)

    def run(handler):
        worker = Worker(database, conf.load([], files=[]), states.VOLUME, HOST, "me",
                        {("leftover", "remove"): handler}, 1)
        worker._run(id)
        with database.read() as tx:
            return job_queries.get(tx, id)

    return run


def take_over(database, job):
    job_changes.expire_leases(database, states.VOLUME, HOST, "another")
    with database.each() as tx:
        assert jobs.claim(tx, job.id, states.VOLUME, HOST, "another", 30)[0] is not None


def lose(work):
    """The lease is not renewed."""
    work.fence.confirm(0, clock.since_boot())


def test_an_attempt_that_nobody_took_over_is_repeated_and_not_counted(run):
    attempts = []

    def handler(work):
        attempts.append(work.job.attempt)
        if len(attempts) == 1:
            lose(work)
            work.progress(1, 2)

    row = run(handler)
    assert (row.status, row.owner, row.attempt) == (states.QUEUED, None, 0)
    assert run(handler).status == states.SUCCEEDED
    assert attempts == [1, 1]


def test_one_that_was_taken_over_changes_nothing(run, database):
    def handler(work):
        take_over(database, work.job)
        lose(work)
        with pytest.raises(errors.Stale):
            work.fence.check()
        work.progress(1, 2)

    row = run(handler)
    assert (row.status, row.owner, row.attempt) == (states.RUNNING, "another", 2)


@pytest.mark.parametrize(("meanwhile", "removed"), [
    ("nothing", True), ("lost", False), ("taken over", False), ("ended", True)])
def test_what_it_has_left_is_removed_by_its_owner_or_when_the_job_has_failed(run, database, meanwhile, removed):
    done = []

    def handler(work):
        if meanwhile == "taken over":
            take_over(database, work.job)
        if meanwhile == "ended":
            with database.write() as tx:
                assert job_changes.abandon(tx, work.job, "reset", 30)
        if meanwhile != "nothing":
            lose(work)
        work.clean_up("removing it", lambda: done.append(True))

    run(handler)
    assert done == [True] * removed


def test_a_late_message_does_not_make_a_worker_of_another_stage_or_host_run_the_job(database):
    with database.write() as tx:
        id = jobs.add(tx, context.Context(), "leftover", "1", "remove", states.VOLUME, HOST)
    for stage, host in (("scheduler", HOST), ("backup", HOST), (states.VOLUME, "other@lvm")):
        with database.each() as tx:
            assert jobs.claim(tx, id, stage, host, "late", 30) == (None, None)
    with database.each() as tx:
        assert jobs.claim(tx, id, states.VOLUME, HOST, "mine", 30)[0].attempt == 1
