"""`--wait`: records the requests that a command sends, and waits for their jobs."""

import dataclasses
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import rich.console
import rich.progress
from cinderclient import exceptions

from cinder_lite import states
from cinder_lite.client import jobs, tables
from cinder_lite.concurrency import clock

#: Commands that can wait -> (the command that then shows the new resource, its argument), or None.
COMMANDS: dict[str, tuple[str, str] | None] = {
    "create": ("show", "volume"), "delete": None, "force-delete": None, "extend": None, "revert-to-snapshot": None,
    "snapshot-create": ("snapshot-show", "snapshot"), "snapshot-delete": None,
    "backup-create": ("backup-show", "backup"), "backup-restore": None, "backup-delete": None,
    "backup-import": None, "migrate": None, "retype": None,
}
#: Seconds between two queries; the first ones are shorter, as most jobs are short.
INTERVALS = (0.05, 0.1, 0.2, 0.5)

_PATH = re.compile(r"/(?P<kind>volume|snapshot|backup)s(?:/(?P<id>[^/?]+))?(?:/(?:action|restore))?(?:\?.*)?")


@dataclasses.dataclass(frozen=True)
class Accepted:
    """An accepted request: its resource, and the ids by which its jobs are found.

    `source` is the backup of a restore, whose job may belong to the backup or to the volume.
    """

    kind: str
    resource_id: str
    request_id: str
    source: str | None = None


class Recorder:
    """Wraps the `request` of a session client, and records the accepted requests."""

    def __init__(self, client: Any) -> None:
        self.accepted: list[Accepted] = []
        self._request = client.request
        client.request = self

    def __call__(self, url: str, method: str, **arguments: Any) -> tuple[Any, Any]:
        response, body = self._request(url, method, **arguments)
        path = _PATH.fullmatch(url)
        if method != "GET" and path and response.status_code in (201, 202):
            kind = path["kind"]
            created = (body or {}).get(kind) or {}
            id = path["id"] if path["id"] not in (None, "import_record") else created["id"]
            request_id = response.headers.get("x-openstack-request-id")
            restored = (body or {}).get("restore")
            self.accepted.append(Accepted("volume", restored["volume_id"], request_id, source=id) if restored
                                 else Accepted(kind, id, request_id))
        return response, body


def wait(cs: Any, accepted: Sequence[Accepted], file: TextIO | None = None) -> dict[Accepted, jobs.JobList]:
    """Wait for the jobs of all requests, and report why a job has not started; returns {request: its jobs}.

    Progress bars are written to `file`, by default standard error.
    """
    api = jobs.Jobs(cs)
    console = rich.console.Console(file=file or sys.stderr)
    columns = (rich.progress.TextColumn("{task.description}"), rich.progress.BarColumn(),
               rich.progress.TextColumn("{task.percentage:>3.0f}%"), rich.progress.TimeElapsedColumn())
    ended: dict[Accepted, jobs.JobList] = {}
    reported: dict[str, str] = {}
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {one: progress.add_task(f"{one.kind} {one.resource_id}", total=100) for one in accepted}
        queries = 0
        while bars:
            for one, bar in list(bars.items()):
                found = [job for id in (one.resource_id, one.source) if id
                         for job in api.of_request(one.request_id, id)]
                if found:
                    completed = min(job["progress"] or 0 for job in found)
                    progress.update(bar, completed=completed, description=_description(found[0]))
                    _report_waiting(console, found[0], reported)
                if all(map(jobs.has_ended, found)):
                    if not any(map(has_failed, found)):
                        progress.update(bar, completed=100)
                    ended[one] = found
                    del bars[one]
            if bars:
                clock.sleep(INTERVALS[min(queries, len(INTERVALS) - 1)])
                queries += 1
    return ended


def has_failed(job: jobs.Job) -> bool:
    return job["status"] == states.FAILED


def _report_waiting(console: rich.console.Console, job: jobs.Job, reported: dict[str, str]) -> None:
    """Print why a job is waiting, once per reason. `reported`: job id -> its last reason."""
    why = job.get("waits_for")
    if why and reported.get(job["id"]) != why:
        reported[job["id"]] = why
        console.print(f"{job['action']} of {job['kind']} {job['resource_id']} is waiting: {why}", markup=False,
                      highlight=False, soft_wrap=True)


def _description(job: jobs.Job) -> str:
    again = f", attempt {job['attempt']}" if job["attempt"] > 1 else ""
    return f"{job['action']} {job['kind']} {job['resource_id']} ({job['status']}{again})"


def failure_message(failed: Sequence[jobs.Job]) -> str:
    """The message for the user when jobs have failed."""
    lines = []
    for job in failed:
        took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
        lines.append(f"{job['action']} of {job['kind']} {job['resource_id']} failed after {took}: {job['error']}")
    ids = dict.fromkeys(job["resource_id"] for job in failed)
    return "\n".join([*lines, *(f"For details: cinder-lite explain {id}" for id in ids)])


def raise_if_failed(failed: Sequence[jobs.Job]) -> None:
    """Raise CommandError with the reasons if there are failed jobs."""
    if failed:
        raise exceptions.CommandError(failure_message(failed))
