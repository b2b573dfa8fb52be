"""Accepts requests: the transaction that records a request's job, and then the message to the service that runs it."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from cinder_lite import context, db

P = ParamSpec("P")
T = TypeVar("T")
#: The object whose method accepts the request.
S = TypeVar("S")


class Accepted(NamedTuple, Generic[T]):
    """A recorded request: its result, and its job (None: nothing is left to do) with the client of its service."""

    result: T
    job_id: str | None
    client: Any


def accepts(record: Callable[Concatenate[S, context.Context, P], Accepted[T]]) -> Callable[
        Concatenate[S, context.Context, P], T]:
    """Make of a method that records a request one that also has its job run, and returns the result alone.

    The method is repeated when the database requires it, so it sends no messages itself.
    """
    retried = db.retried(record)

    @functools.wraps(record)
    def accept(self: S, ctx: context.Context, *args: P.args, **kwargs: P.kwargs) -> T:
        accepted = retried(self, ctx, *args, **kwargs)
        if accepted.job_id is not None:
            accepted.client.run_job(ctx, job_id=accepted.job_id)
        return accepted.result

    return accept
