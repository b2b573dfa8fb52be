"""Follows from commit to commit how jobs begin, that each ends once, and what initiators get."""

import json

from cinder_lite import states
from tests.simulation import starts, world
from tests.simulation.rules import Broken


class Histories:
    """The status of each job at the last commit."""

    def __init__(self, site):
        self.site, self.statuses = site, {}
        #: Id of a job -> its owner at the last commit.
        self.owners = {}
        #: (id of an attachment, connection information) -> (the host whose portal it names, the initiator).
        self.handed = {}

    def advance(self):
        """Compare with the last commit. Raises Broken."""
        for row in self.site.rows("SELECT a.id, a.connection_info, a.connector, v.host FROM attachments a "
                                  "JOIN volumes v ON v.id = a.volume_id WHERE a.connection_info IS NOT NULL"):
            if "target_iqn" in json.loads(row["connection_info"] or "{}"):
                self.handed.setdefault((row["id"], row["connection_info"]), (
                    row["host"].partition("@")[0], json.loads(row["connector"] or "{}").get("initiator")))
        self._follow_jobs()

    def _follow_jobs(self):
        for job in self.site.rows("SELECT id, kind, action, status, owner, resource_id, args FROM jobs"):
            before = self.statuses.get(job["id"])
            self.statuses[job["id"]] = job["status"]
            owner, self.owners[job["id"]] = self.owners.get(job["id"]), job["owner"]
            if before == states.RUNNING and job["status"] == states.SUCCEEDED:
                _check_owner(job, owner)
            if before is None:
                self.site.watch(lambda site, job=job: starts.check(site, job))
                if job["action"] == "unmanage":
                    self._unmanaged(job)
            elif before not in states.LIVE_JOB and job["status"] != before:
                raise Broken(f"job {job['id']}, {job['action']} of {job['kind']} {job['resource_id']}, was {before}, "
                             f"and is {job['status']} now")

    def _unmanaged(self, job):
        query = {"volume": "SELECT host, coalesce(name_id, id) AS name, id FROM volumes WHERE id = ?",
                 "snapshot": "SELECT v.host, s.id AS name, v.id FROM snapshots s JOIN volumes v ON v.id = s.volume_id "
                             "WHERE s.id = ?"}[job["kind"]]
        for row in self.site.rows(query, job["resource_id"]):
            self.site.unmanaged.add((row["host"], f"{job['kind']}-{row['name']}"))
            self.site.former[f"{job['kind']}-{row['name']}"] = row["id"]


def _check_owner(job, owner):
    """A job succeeds by the process that owns it, "name/instance"."""
    on = world.node()
    if owner is not None and on is not None and on.instances and owner.rpartition("/")[2] not in on.instances:
        raise Broken(f"{job['action']} of {job['kind']} {job['resource_id']} succeeded on {on}, but {owner} has it")
