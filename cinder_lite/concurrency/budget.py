"""Shares the time for which a requester waits among the calls that are made for the request, one after another."""

from cinder_lite import context
from cinder_lite.concurrency import clock


def remaining(ctx: context.Context, most: float) -> float:
    """Seconds for a call on behalf of the request: `most`, or what is left of its time; 0 when nobody waits for it."""
    return most if ctx.ends is None else max(0.0, min(most, ctx.ends - clock.time()))
