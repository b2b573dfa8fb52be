"""Fetches jobs from the API."""

import urllib.parse
from typing import Any

from cinderclient import exceptions

from cinder_lite import states

#: Jobs fetched with one request.
PAGE = 200

#: A job as the API returns it.
Job = dict[str, Any]
JobList = list[Job]


class Jobs:
    """GET /jobs of the service that the cinderclient `cs` uses. Raises CommandError when the service has no jobs."""

    def __init__(self, cs: Any) -> None:
        self._http = cs.client

    def list(self, **filters: str | int | None) -> JobList:
        """The newest jobs that pass the filters (resource_id, status, limit, all_tenants)."""
        query = urllib.parse.urlencode({key: value for key, value in filters.items() if value is not None})
        try:
            return self._http.get(f"/jobs?{query}")[1]["jobs"]
        except exceptions.NotFound as error:
            raise exceptions.CommandError("This service has no jobs: it is not cinder-lite.") from error

    def of_resource(self, resource_id: str) -> JobList:
        """The newest jobs of a resource of any project, the newest first."""
        return self.list(resource_id=resource_id, all_tenants=1, limit=PAGE)

    def of_request(self, request_id: str, resource_id: str) -> JobList:
        """The jobs of a resource that one request has started."""
        return [job for job in self.of_resource(resource_id) if job["request_id"] == request_id]


def has_ended(job: Job) -> bool:
    """Whether a job has succeeded or failed."""
    return job["status"] not in states.LIVE_JOB
