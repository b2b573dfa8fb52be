"""Builds the object whose methods oslo.messaging calls for a server's messages."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import oslo_messaging

from cinder_lite import context, db, errors
from cinder_lite.concurrency import budget, clock
from cinder_lite.rpc.interface import Interface, methods


class ContextSerializer(oslo_messaging.NoOpSerializer):
    """Sends the context of a request with a message."""

    def serialize_context(self, ctx: context.Context) -> dict[str, Any]:
        # Only what the receiver needs: libraries copy it several times.
        unread = ("auth_token", "project", "user_identity")
        sent = {**ctx.to_dict(), "ends": ctx.ends}
        return {key: value for key, value in sent.items() if value is not None and key not in unread}

    def deserialize_context(self, ctxt: dict[str, Any]) -> context.Context:
        ctx = context.Context.from_dict(ctxt)
        ctx.ends = ctxt.get("ends")
        return ctx


@contextlib.contextmanager
def timed(meter: Any, metric: str, *labels: str) -> Iterator[None]:
    """Measure a block, unless `meter` is None; its outcome is the last label."""
    if meter is None:
        yield
        return
    began, outcome = clock.monotonic(), "failed"
    try:
        yield
        outcome = "done"
    finally:
        meter.observe(metric, clock.monotonic() - began, *labels, outcome)


def build(interface: type[Interface], manager: object, server: Any) -> object:
    """An object with nothing but the interface's methods, so that no other can be called from outside.

    `server` has the meter of the calls.
    """
    def exposing(method, kind):
        @functools.wraps(method)
        def answer(_self, ctx, **arguments):
            try:
                if kind == "call" and not budget.remaining(ctx, 1):
                    raise errors.Unavailable(f"{method.__name__} came when its caller no longer waited for it.")
                with timed(server.meter, "rpc_served_seconds", interface.topic, method.__name__):
                    # A message may come twice, so that a call can be repeated as well.
                    return db.patiently(method, ctx, **arguments)
            except errors.Error as error:
                raise oslo_messaging.ExpectedException() from error
        answer.exposed = True
        return answer

    members = {name: exposing(getattr(manager, name), kind) for name, kind in methods(interface).items()}
    members["target"] = oslo_messaging.Target(version=interface.version)
    return type("Endpoint", (), members)()
