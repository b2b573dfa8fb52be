"""Renders user messages and jobs."""

from typing import Any

from cinder_lite import errors
from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Renderer, Row, View
from cinder_lite.api.views.volumes import created_at, time, updated_at
from cinder_lite.jobs import wait_reasons
from cinder_lite.scheduler import explain


def _for_operators(column: str) -> Renderer:
    """A function for a column that names a host: null for requesters who may not see hosts."""
    return lambda row, req: getattr(row, column) if req.sees_internals(row.project_id) else None


def _decision(row: Row, req: Request) -> Any:
    return row.decision if req.sees_internals(row.project_id) else explain.for_members(row.decision)


def _error(row: Row, req: Request) -> str | None:
    if row.error is None or req.sees_internals(row.project_id):
        return row.error
    return row.public_error or errors.HIDDEN


def _text(row: Row, req: Request) -> str:
    """The text for the requester. A message of an older release has one text, of which members get the beginning."""
    if req.sees_internals(row.project_id):
        return row.details or row.user_message
    return row.user_message if row.details else f"{row.user_message.partition(':')[0]}: {errors.HIDDEN}"


MESSAGE = View(
    "id", "event_id", Field("user_message", _text), "message_level", Field("created_at", created_at),
    Field("guaranteed_until", lambda row, req: time(row.expires_at)), "request_id",
    Field("links", lambda row, req: req.links("messages", row.id)), "resource_type", "resource_uuid")


def _waits_for(row: Row, req: Request) -> str | None:
    return wait_reasons.reason(row, req.services, req.conf.service_down_time, whole=req.sees_internals(row.project_id))


JOB = View(
    "id", "request_id", "project_id", "user_id", "kind", "resource_id", "action", "stage",
    Field("host", _for_operators("host")), "status", Field("owner", _for_operators("owner")), "attempt", "progress",
    Field("error", _error), Field("waits_for", _waits_for), Field("decision", _decision),
    Field("created_at", created_at), Field("updated_at", updated_at),
    Field("finished_at", lambda row, req: time(row.finished_at)))
