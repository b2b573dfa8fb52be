"""Binds the handlers of a backend's jobs; in a cluster they wait for workers of other members."""

import functools
from collections.abc import Callable, Mapping

from cinder_lite import db, states
from cinder_lite.db import members
from cinder_lite.jobs import handlers, outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume.backends import Backend


def bind(database: db.Database, backend: Backend, owners: Mapping[str, object]) -> Mapping[
        tuple[str, str], Callable[[Work], object]]:
    """{(kind, action): handler}; see jobs.handlers.bind."""
    found = handlers.bind(states.VOLUME, owners, backend)
    if backend.cluster is None:
        return found
    return {key: functools.partial(_when_alone, database, handler) for key, handler in found.items()}


def _when_alone(database, handler, work):
    """Hand the job back while a member may still be running an ended job of the resource.

    Within one service the worker takes care of that.
    """
    with database.read() as tx:
        if members.may_be_running(tx, work.job):
            raise outcomes.Interrupted
    handler(work)
