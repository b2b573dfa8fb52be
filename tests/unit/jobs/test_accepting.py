"""A request is recorded, repeatedly if the database requires it, and then its service is sent one message."""

import pytest
from oslo_db import exception as db_errors

from cinder_lite import errors
from cinder_lite.jobs.accepting import Accepted, accepts


class Requests:
    """Records requests after `deadlocks` failed attempts; it is also the client of the service."""

    def __init__(self, deadlocks=0):
        self.deadlocks, self.recorded, self.sent = deadlocks, [], []

    def run_job(self, ctx, job_id):
        self.sent.append((ctx, job_id, list(self.recorded)))

    @accepts
    def create(self, ctx, name, job_id="1"):
        """Create it."""
        if self.deadlocks:
            self.deadlocks -= 1
            raise db_errors.DBDeadlock
        self.recorded.append(name)
        return Accepted(name.upper(), job_id, self)

    @accepts
    def refuse(self, ctx):
        raise errors.Conflict("no")


@pytest.mark.parametrize("deadlocks", [0, 2])
def test_the_message_is_sent_once_after_the_request_is_recorded(deadlocks):
    requests = Requests(deadlocks)
    assert requests.create("ctx", "a") == "A"
    assert requests.sent == [("ctx", "1", ["a"])]


def test_without_a_job_no_message_is_sent():
    requests = Requests()
    assert requests.create("ctx", "a", job_id=None) == "A"
    assert requests.sent == []


def test_a_refusal_is_raised_and_sends_nothing():
    requests = Requests()
    with pytest.raises(errors.Conflict):
        requests.refuse("ctx")
    assert requests.sent == []


def test_the_method_keeps_its_name_and_description():
    assert (Requests.create.__name__, Requests.create.__doc__) == ("create", "Create it.")
