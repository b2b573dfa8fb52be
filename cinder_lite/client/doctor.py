"""`doctor`: what is wrong with the service as a whole, and what to do."""

from cinderclient import exceptions

from cinder_lite import states
from cinder_lite.client import jobs, tables

#: Failed jobs of the last so many seconds are pointed at.
LATELY = 3600


def gather(cs):
    """What /healthcheck?detailed says, with the jobs that failed lately as `failed_lately`. Raises CommandError."""
    http = cs.client
    root = http.get_endpoint().partition("/v3")[0].rstrip("/")
    answer = http.session.get(f"{root}/healthcheck?detailed", auth=http.auth, authenticated=True, raise_exc=False)
    if answer.status_code in (401, 403):
        raise exceptions.CommandError("How the services do is told to administrators only.")
    try:
        found = answer.json()
        failed = jobs.Jobs(cs).list(status=states.FAILED, all_tenants=1, limit=jobs.PAGE)
    except ValueError as error:
        raise exceptions.CommandError(f"{root} does not say how it does (status {answer.status_code}): it is not "
                                      "cinder-lite, or of an older release.") from error
    except exceptions.ClientException:
        failed = []  # the database is away, as the answer says
    return {**found, "failed_lately": [job["id"] for job in failed if tables.seconds(job["finished_at"]) < LATELY]}


def write(output, found):
    """The same for people."""
    for problem in found["problems"]:
        output.line(f"{problem[:1].upper()}{problem[1:]}.", style="red")
    if found["failed_lately"]:
        output.line(f"{len(found['failed_lately'])} jobs failed in the last hour: cinder-lite jobs --all-projects --status failed",
                    style="yellow")
    if not found["problems"]:
        waits = {name: tables.duration(found[name]["seconds"]) for name in ("database", "broker")}
        live = ", ".join(f"{found['jobs'].get(status, 0)} {status}" for status in states.LIVE_JOB)
        output.line(f"All is well: {len(found['services'])} services, the database answers in {waits['database']}, the broker "
                    f"in {waits['broker']}; jobs: {live}.")
