"""Scheduling while services are down: a request waits for a backend that may return, and is refused otherwise."""

import datetime

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from cinder_lite.scheduler.explain import explain
from cinder_lite.scheduler.manager import SchedulerManager
from tests.functional.installation import BACKEND, POOL, Installation


class Nobody:
    """A transport without receivers."""

    def on(self, _host):
        return self

    def run_job(self, ctx, job_id):
        """A wake-up."""


@pytest.fixture
def here(tmp_path):
    installation = Installation(tmp_path).sync()
    with installation.db.write() as tx:
        tx.execute(sa.update(schema.pools).values(total_gb=100, free_gb=100, thin=True, thick=False))
    yield installation
    installation.db.dispose()


def decide(here, **job):
    """The status of a volume that is to be created, after one decision; its job's, too."""
    volume = here.volume(status=states.CREATING, host=None, launched_at=None, size=job.pop("size", 1))
    id = here.add("jobs", kind="volume", action="create", resource_id=volume, stage="scheduler", host=None, **job)
    SchedulerManager(here.db, here.conf, Nobody())._decide(None, id)
    return here.row("volumes", volume), here.row("jobs", id)


def away(here, **values):
    with here.db.write() as tx:
        tx.execute(sa.update(schema.services).where(schema.services.c.host == BACKEND).values(seen_at=None, **values))


def test_a_service_that_is_started_again_is_waited_for(here):
    away(here)
    volume, job = decide(here, created_at=db.now())
    assert (volume.status, job.status, job.stage) == (states.CREATING, states.QUEUED, "scheduler")
    with here.db.write() as tx:
        tx.execute(sa.update(schema.services).values(seen_at=db.now()))
    SchedulerManager(here.db, here.conf, Nobody())._decide(None, job.id)
    assert (here.row("volumes", volume.id).host, here.row("jobs", job.id).host) == (POOL, BACKEND)


def test_a_service_that_stays_away_is_given_up(here):
    away(here)
    since = db.now() - 2 * datetime.timedelta(seconds=here.conf.scheduler_wait_for_backends)
    volume, job = decide(here, decision={"waiting": {"since": since.isoformat()}})
    assert (volume.status, job.status) == (states.ERROR, states.FAILED) and "is down" in job.error


def test_the_time_in_which_no_scheduler_was_there_does_not_count(here):
    away(here)
    volume, job = decide(here)
    assert (volume.status, job.status) == (states.CREATING, states.QUEUED)
    assert "waiting since" in explain(job.decision)[0]


@pytest.mark.parametrize("size,values", [(1, {"disabled": True}), (5000, {})])
def test_a_service_that_would_have_no_place_is_not_waited_for(here, size, values):
    away(here, **values)
    volume, _ = decide(here, created_at=db.now(), size=size)
    assert volume.status == states.ERROR
