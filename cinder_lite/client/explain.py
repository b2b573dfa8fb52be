"""`explain`: reports the jobs of a volume, snapshot or backup, with the reasons of decisions and failures."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from cinderclient import api_versions, exceptions, shell_utils, utils

from cinder_lite.client import jobs, tables
from cinder_lite.scheduler.explain import explain

#: kind -> function(cs, name or id)
FINDERS: dict[str, Callable[[Any, str], Any]] = {
    "volume": utils.find_volume, "snapshot": shell_utils.find_volume_snapshot, "backup": shell_utils.find_backup}


def gather(cs: Any, name_or_id: str) -> dict[str, Any]:
    """The status, jobs and messages of a resource as a dict for JSON; a deleted resource is found by its id.

    Raises CommandError when there is nothing.
    """
    found = _find(cs, name_or_id)
    id = found.id if found else name_or_id
    done = jobs.Jobs(cs).of_resource(id)
    if found is None and not done:
        raise exceptions.CommandError(f"There is no volume, snapshot or backup {name_or_id}, and no job of a deleted "
                                      "one. A deleted resource is found by its ID only.")
    return {
        "kind": _kind(found) if found else done[0]["kind"],
        "id": id,
        "name": getattr(found, "name", None),
        "status": getattr(found, "status", None),
        "jobs": [{**job, "decision_lines": explain(job["decision"]) if job["decision"] else []} for job in done],
        "messages": _messages(cs, id),
    }


def write(output: tables.Output, known: dict[str, Any]) -> None:
    """Print the result of gather() as text, the newest job first."""
    label = f"{known['name']} ({known['id']})" if known["name"] else known["id"]
    output.line(f"{known['kind']} {label}: {known['status'] or 'deleted'}", style="bold")
    for job in known["jobs"]:
        output.line()
        output.line(f"{job['created_at'][:19]}  {job['action']}: {job['status']}", tables.COLOURS.get(job["status"]))
        for line in _facts(output, job):
            output.line(f"    {line}")
    if not known["jobs"]:
        output.line("It has no jobs: it was created without one, or they have expired (job_retention).")
    for message in known["messages"]:
        output.line()
        output.line(f"{message['created_at'][:19]}  message: {message['user_message']}")


def _facts(output: tables.Output, job: jobs.Job) -> Iterator[str]:
    yield f"request {job['request_id']} of user {job['user_id']}, project {job['project_id']}"
    where = f"{job['stage']} service" + (f" on {job['host']}" if job["host"] else "")
    took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
    progress = f"took {took}" if jobs.has_ended(job) else f"{output.bar(job['progress'])} after {took}"
    yield f"{where}, attempt {job['attempt']}, {progress}"
    if job.get("waits_for"):
        yield f"waiting: {job['waits_for']}"
    yield from job["decision_lines"]
    # Where no pool was found, the error ends with the decision; failures of backends come before it.
    reason = (job["error"] or "").removesuffix("; ".join(job["decision_lines"])).rstrip("; ")
    if reason:
        yield f"reason: {reason}"


def _find(cs: Any, name_or_id: str) -> Any:
    for find in FINDERS.values():
        try:
            return find(cs, name_or_id)
        except exceptions.CommandError as error:
            # A name that is not unique is the user's to resolve; a name not found may be one of the next kind.
            if "Multiple" in str(error):
                raise
    return None


def _kind(resource: object) -> str:
    return {"Volume": "volume", "Snapshot": "snapshot", "VolumeBackup": "backup"}[type(resource).__name__]


def _messages(cs: Any, id: str) -> list[dict[str, Any]]:
    if cs.api_version < api_versions.APIVersion("3.5") or not _is_id(id):
        return []
    found = cs.messages.list(search_opts={"resource_uuid": id})
    return [{"id": one.id, "created_at": one.created_at, "user_message": one.user_message, "event_id": one.event_id,
             "message_level": one.message_level, "request_id": one.request_id} for one in found]


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
