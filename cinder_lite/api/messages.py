"""Handles /messages and /jobs."""

from collections.abc import Sequence

from cinder_lite import db, errors
from cinder_lite.api import filters, pages
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import job_queries, messages, services
from cinder_lite.db.listing import Paging
from cinder_lite.jobs import wait_reasons


def index(req: Request) -> Page:
    """GET /messages; before 3.5 without pages and filters."""
    paging, where = (req.paging(), filters.clauses(req, "message")) if req.at("3.5") else (Paging(limit=10**6), [])
    return pages.read(req, messages.page, where, messages.visible_to(req.ctx), paging=paging)


def show(req: Request) -> Row:
    """GET /messages/{message_id}: show a user message."""
    with req.db.read() as tx:
        return messages.get(tx, req.ctx, req.message_id)


@db.retried
def delete(req: Request) -> None:
    """DELETE /messages/{message_id}: delete a user message."""
    with req.db.write() as tx:
        messages.delete(tx, messages.get(tx, req.ctx, req.message_id).id)


def list_jobs(req: Request) -> Page:
    """GET /jobs?resource_id=&status=: list jobs with their progress and failures, the newest first."""
    known = job_queries.FILTERS if req.sees_internals() else [key for key in job_queries.FILTERS if key != "host"]
    wanted = {key: value for key, value in req.filters().items() if key in known}
    paging = req.paging()
    with req.db.read() as tx:
        rows = job_queries.page(tx, wanted, paging, job_queries.visible_to(req.ctx, req.all_projects))
        req.services = _services(tx, rows)
        return pages.page(rows, paging)


def _services(tx: db.Transaction, rows: Sequence[Row]) -> Sequence[Row]:
    """All services if one of the jobs may wait for one, else none."""
    return services.page(tx) if any(wait_reasons.is_unclaimed(row) for row in rows) else ()


def show_job(req: Request) -> Row:
    """GET /jobs/{job_id}: show a job."""
    with req.db.read() as tx:
        row = job_queries.get(tx, req.job_id)
        req.services = _services(tx, [row] if row is not None else ())
    if row is None or not req.ctx.sees(row.project_id):
        raise errors.JobNotFound(id=req.job_id)
    return row
