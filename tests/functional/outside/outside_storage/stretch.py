"""An action: a volume grows by one GiB. Its row, its route, its beginning and its work."""

from cinder_lite import states
from cinder_lite.api.body_schema import closed, wrapped
from cinder_lite.api.policy import MEMBER
from cinder_lite.api.route import Route
from cinder_lite.db import quotas, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds, outcomes
from cinder_lite.volume.drivers import base

ACTIONS = {"volume": [states.Action(
    "stretch", (states.AVAILABLE,), "extending", states.BACK, "error_extending",
    {states.VOLUME: "outside_storage.stretch:run"}, (states.Growth(),), message=("extend", "extend failed"),
    event="volume.stretch", remedy=states.FAIL)]}
POLICIES = {"outside:stretch": (MEMBER, "Let a volume grow by one GiB.")}


def begin(req):
    """POST /volumes/{volume_id}/action outside-stretch"""
    with req.db.read() as tx:
        row = volumes.get(tx, req.ctx, req.volume_id)
        allowance = quotas.allowance(tx, req.conf, row.project_id)
    host, new_size = service_of(row.host), row.size + 1
    args = {"old_size": row.size, "new_size": new_size, "facts": row.facts, "refuse": req.body["refuse"]}
    with req.db.write() as tx:
        job_id = holds.begin(tx, req.conf, req.ctx, "volume", row.id, "stretch", row=row, allowance=allowance,
                             job={"host": host, "args": args})
    req.clients["volume"].on(host).run_job(req.ctx, job_id=job_id)


def run(backend, work):
    """Let the driver of the backend do it."""
    work.begin()
    if work.args["refuse"]:
        raise outcomes.Refused("it was to be refused")
    volume = base.Volume(work.job.resource_id, work.args["old_size"], work.args["facts"])
    backend.call(backend.driver.extend, volume, work.args["new_size"])
    work.keep(size=work.args["new_size"])


ROUTES = (
    Route("POST", "/volumes/{volume_id}/action", begin, "outside:stretch", wrapped("outside-stretch", closed(
        {"refuse": {"type": "boolean"}}, ["refuse"])), None, 202, action="outside-stretch"),
)
