"""`explain`: what has happened to a volume, snapshot or backup, and why."""

import uuid

from cinderclient import api_versions, exceptions, shell_utils, utils

from cinder_lite.client import jobs, tables
from cinder_lite.scheduler import choose

FINDERS = {"volume": utils.find_volume, "snapshot": shell_utils.find_volume_snapshot,
           "backup": shell_utils.find_backup}


def gather(cs, name_or_id):
    """What is known of a resource, also of one that is gone when its id is given: a dict, ready for JSON.

    Raises CommandError when nothing is.
    """
    found = _find(cs, name_or_id)
    id = found.id if found else name_or_id
    done = jobs.Jobs(cs).of_resource(id)
    if found is None and not done:
        raise exceptions.CommandError(f"There is no volume, snapshot or backup named {name_or_id}, and no job of one "
                                      "that is gone. One that is gone is known by its id only.")
    return {
        "kind": _kind(found) if found else done[0]["kind"],
        "id": id,
        "name": getattr(found, "name", None),
        "status": getattr(found, "status", None),
        "jobs": [{**job, "decision_lines": choose.explain(job["decision"]) if job["decision"] else []} for job in done],
        "messages": _messages(cs, id),
    }


def write(output, known):
    """The same for people: newest job first."""
    label = f"{known['name']} ({known['id']})" if known["name"] else known["id"]
    output.line(f"{known['kind']} {label}: {known['status'] or 'gone'}", style="bold")
    for job in known["jobs"]:
        output.line()
        output.line(f"{job['created_at'][:19]}  {job['action']}: {job['status']}", tables.COLOURS.get(job["status"]))
        for line in _facts(output, job):
            output.line(f"    {line}")
    if not known["jobs"]:
        output.line("No job of it is known: it was made without one, or that was too long ago.")
    for message in known["messages"]:
        output.line()
        output.line(f"{message['created_at'][:19]}  message: {message['user_message']}")


def _facts(output, job):
    yield f"request {job['request_id']} of user {job['user_id']}, project {job['project_id']}"
    where = f"{job['stage']} service" + (f" on {job['host']}" if job["host"] else "")
    took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
    progress = f"took {took}" if jobs.over(job) else f"{output.bar(job['progress'])} after {took}"
    yield f"{where}, attempt {job['attempt']}, {progress}"
    if job.get("waits_for"):
        yield f"waits: {job['waits_for']}"
    yield from job["decision_lines"]
    # Where no pool was found, the decision is the reason; what backends said before stands in front of it.
    reason = (job["error"] or "").removesuffix("; ".join(job["decision_lines"])).rstrip("; ")
    if reason:
        yield f"reason: {reason}"


def _find(cs, name_or_id):
    for find in FINDERS.values():
        try:
            return find(cs, name_or_id)
        except exceptions.CommandError as error:
            # Two of one name is the user's to decide; none of this kind may be one of the next.
            if "Multiple" in str(error):
                raise
    return None


def _kind(resource):
    return {"Volume": "volume", "Snapshot": "snapshot", "VolumeBackup": "backup"}[type(resource).__name__]


def _messages(cs, id):
    if cs.api_version < api_versions.APIVersion("3.5") or not _is_id(id):
        return []
    found = cs.messages.list(search_opts={"resource_uuid": id})
    return [{"id": one.id, "created_at": one.created_at, "user_message": one.user_message, "event_id": one.event_id,
             "message_level": one.message_level, "request_id": one.request_id} for one in found]


def _is_id(text):
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
