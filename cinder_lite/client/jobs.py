"""What the command asks of the jobs API."""

import urllib.parse

from cinderclient import exceptions

from cinder_lite import states

#: Jobs fetched with one request.
PAGE = 200


class Jobs:
    """GET /jobs of the service that a cinderclient `cs` talks to. Raises CommandError when it has no such thing."""

    def __init__(self, cs):
        self._http = cs.client

    def list(self, **filters):
        """The newest jobs that pass the filters (resource_id, status, limit, all_tenants), as the API shows them."""
        query = urllib.parse.urlencode({key: value for key, value in filters.items() if value is not None})
        try:
            return self._http.get(f"/jobs?{query}")[1]["jobs"]
        except exceptions.NotFound as error:
            raise exceptions.CommandError("This service has no jobs: it is not cinder-lite.") from error

    def of_resource(self, resource_id):
        """The newest jobs of one resource of any project, the newest first."""
        return self.list(resource_id=resource_id, all_tenants=1, limit=PAGE)

    def of_request(self, request_id, resource_id):
        """What one request has left to be done to a resource."""
        return [job for job in self.of_resource(resource_id) if job["request_id"] == request_id]


def over(job):
    """Whether nothing more will happen to a job."""
    return job["status"] not in states.LIVE_JOB
