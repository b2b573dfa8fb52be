"""`--wait`: which requests a command has sent, and when what they asked for is done."""

import dataclasses
import re
import sys
import time

import rich.console
import rich.progress
from cinderclient import exceptions

from cinder_lite import states
from cinder_lite.client import jobs, tables

#: Commands that can wait, and the command that then shows what was made, with its argument.
COMMANDS = {
    "create": ("show", "volume"), "delete": None, "force-delete": None, "extend": None, "revert-to-snapshot": None,
    "snapshot-create": ("snapshot-show", "snapshot"), "snapshot-delete": None,
    "backup-create": ("backup-show", "backup"), "backup-restore": None, "backup-delete": None,
    "backup-import": None, "migrate": None, "retype": None,
}
#: Seconds between two looks; the first come faster, as most things take no time.
INTERVALS = (0.05, 0.1, 0.2, 0.5)

_PATH = re.compile(r"/(?P<kind>volume|snapshot|backup)s(?:/(?P<id>[^/?]+))?(?:/(?:action|restore))?(?:\?.*)?")


@dataclasses.dataclass(frozen=True)
class Accepted:
    """A request that was answered with "accepted": what it is about, and by which ids its jobs are found.

    `source` is the backup of a restore, whose job may be the backup's or the volume's.
    """

    kind: str
    resource_id: str
    request_id: str
    source: str | None = None


class Recorder:
    """Stands in a session client's `request` and keeps what has been accepted through it."""

    def __init__(self, client):
        self.accepted = []
        self._request = client.request
        client.request = self

    def __call__(self, url, method, **arguments):
        response, body = self._request(url, method, **arguments)
        path = _PATH.fullmatch(url)
        if method != "GET" and path and response.status_code in (201, 202):
            kind = path["kind"]
            made = (body or {}).get(kind) or {}
            id = path["id"] if path["id"] not in (None, "import_record") else made.get("id")
            request_id = response.headers.get("x-openstack-request-id")
            restored = (body or {}).get("restore")
            self.accepted.append(Accepted("volume", restored["volume_id"], request_id, source=id) if restored
                                 else Accepted(kind, id, request_id))
        return response, body


def wait(cs, accepted, file=None):
    """Wait for the jobs of all requests, and tell why one waits; returns {request: its jobs}.

    Bars go to `file`, by default the error stream.
    """
    api = jobs.Jobs(cs)
    console = rich.console.Console(file=file or sys.stderr)
    columns = (rich.progress.TextColumn("{task.description}"), rich.progress.BarColumn(),
               rich.progress.TextColumn("{task.percentage:>3.0f}%"), rich.progress.TimeElapsedColumn())
    ended, told = {}, {}
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {one: progress.add_task(f"{one.kind} {one.resource_id}", total=100) for one in accepted}
        looks = 0
        while bars:
            for one, bar in list(bars.items()):
                mine = [job for id in (one.resource_id, one.source) if id for job in api.of_request(one.request_id, id)]
                if mine:
                    done = min(job["progress"] or 0 for job in mine)
                    progress.update(bar, completed=done, description=_said(mine[0]))
                    _tell(console, mine[0], told)
                if all(map(jobs.over, mine)):
                    if not any(map(lost, mine)):
                        progress.update(bar, completed=100)
                    ended[one] = mine
                    del bars[one]
            if bars:
                time.sleep(INTERVALS[min(looks, len(INTERVALS) - 1)])
                looks += 1
    return ended


def lost(job):
    return job["status"] == states.FAILED


def _tell(console, job, told):
    """Say why a job waits, once for each reason."""
    why = job.get("waits_for")
    if why and told.get(job["id"]) != why:
        told[job["id"]] = why
        console.print(f"{job['action']} of {job['kind']} {job['resource_id']} waits: {why}", markup=False, highlight=False,
                      soft_wrap=True)


def _said(job):
    again = f", attempt {job['attempt']}" if job["attempt"] > 1 else ""
    return f"{job['action']} {job['kind']} {job['resource_id']} ({job['status']}{again})"


def reason(failed):
    """The sentence for the user when jobs have failed."""
    lines = []
    for job in failed:
        took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
        lines.append(f"{job['action']} of {job['kind']} {job['resource_id']} failed after {took}: {job['error']}")
    ids = dict.fromkeys(job["resource_id"] for job in failed)
    return "\n".join([*lines, *(f"More: cinder-lite explain {id}" for id in ids)])


def raise_on(failed):
    """CommandError with the reasons, when there are any."""
    if failed:
        raise exceptions.CommandError(reason(failed))
