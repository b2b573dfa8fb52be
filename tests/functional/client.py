"""A small API client for tests: requests, waiting, status checks."""

import json

import requests

from tests.functional import conformance
from tests.functional.service import until

PROJECT = "a0000000000000000000000000000001"
LATEST = "3.71"


class Client:
    """Sends requests for one project, as an administrator (noauth)."""

    def __init__(self, url, project=PROJECT, version=LATEST):
        self.base, self.project, self.version = url, project, version
        self._session = requests.Session()

    def __call__(self, method, path, body=None, expect=None, version=None, **headers):
        """(status, document). With `expect` the status is asserted and the document alone is returned."""
        answer = self._session.request(
            method, f"{self.base}/v3/{self.project}{path}", timeout=60,
            data=json.dumps(body) if body is not None else None,
            headers={"X-Auth-Token": f"tester:{self.project}", "Content-Type": "application/json",
                     "OpenStack-API-Version": f"volume {version or self.version}", **headers})
        document = answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None
        conformance.check(method, path, version or self.version, body, answer.status_code, document)
        if expect is None:
            return answer.status_code, document
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return document

    def create(self, kind, **body):
        """Create a resource of that kind (volumes, snapshots, backups) and return the body of the 202 response."""
        return self("POST", f"/{kind}", {kind[:-1]: body}, expect=202)[kind[:-1]]

    def settled(self, kind, id, *wanted):
        """The resource once its status is one of `wanted` (default available)."""
        def look():
            found = self("GET", f"/{kind}/{id}", expect=200)[kind[:-1]]
            if found["status"] in (wanted or ("available",)):
                return found
            assert not found["status"].startswith("error"), self.why(id)
            return None

        return until(look, f"{kind} {id} to become {wanted or 'available'}")

    def gone(self, kind, id):
        until(lambda: self("GET", f"/{kind}/{id}")[0] == 404, f"{kind} {id} to be gone")

    def made(self, kind, **body):
        """Create a resource and wait until it is available."""
        return self.settled(kind, self.create(kind, **body)["id"])

    def type_of(self, backend):
        """Create a volume type of that name, whose volumes are on the backend of that name."""
        return self("POST", "/types", {"volume_type": {
            "name": backend, "extra_specs": {"volume_backend_name": backend}}}, expect=200)["volume_type"]

    def why(self, id):
        """Return the errors of the jobs of a resource."""
        jobs = self("GET", f"/jobs?resource_id={id}", expect=200)["jobs"]
        return [(job["action"], job["status"], job["error"]) for job in jobs]
