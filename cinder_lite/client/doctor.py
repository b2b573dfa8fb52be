"""`doctor`: reports problems of the services, backends, database and broker, and how to fix them."""

from typing import Any

from cinderclient import exceptions

from cinder_lite import states
from cinder_lite.client import jobs, tables

#: Seconds for which failed jobs are reported.
RECENT = 3600


def gather(cs: Any) -> dict[str, Any]:
    """The document of /healthcheck?detailed, and the ids of recently failed jobs as `failed_lately`.

    Raises CommandError.
    """
    http = cs.client
    root = http.get_endpoint().partition("/v3")[0].rstrip("/")
    answer = http.session.get(f"{root}/healthcheck?detailed", auth=http.auth, authenticated=True, raise_exc=False)
    if answer.status_code in (401, 403):
        raise exceptions.CommandError("Only administrators can see the health of the services.")
    try:
        found = answer.json()
        failed = jobs.Jobs(cs).list(status=states.FAILED, all_tenants=1, limit=jobs.PAGE)
    except ValueError as error:
        raise exceptions.CommandError(f"{root} does not report its health (status {answer.status_code}): it is not "
                                      "cinder-lite, or an older release of it.") from error
    except exceptions.ClientException:
        failed = []  # the database is down, which the document reports
    return {**found, "failed_lately": [job["id"] for job in failed
                                       if (tables.seconds(job["finished_at"]) or 0) < RECENT]}


def write(output: tables.Output, found: dict[str, Any]) -> None:
    """Print the result of gather() as text."""
    for problem in found["problems"]:
        output.line(f"{problem[:1].upper()}{problem[1:]}.", style="red")
    failed = len(found["failed_lately"])
    if failed:
        output.line(f"{failed} job{'s' if failed > 1 else ''} failed in the last hour. List failed jobs with: "
                    "cinder-lite jobs --all-projects --status failed", style="yellow")
    if not found["problems"]:
        times = {name: tables.duration(found[name]["seconds"]) for name in ("database", "broker")}
        live = ", ".join(f"{found['jobs'].get(status, 0)} {status}" for status in states.LIVE_JOB)
        output.line(f"No problems found: {len(found['services'])} services; response times: database "
                    f"{times['database']}, broker {times['broker']}; jobs: {live}.")
