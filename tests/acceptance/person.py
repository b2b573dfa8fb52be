"""Requests to the service as a user of Keystone, with the endpoint of the catalog."""

from tests.services.processes import until

SERVICE = "block-storage"


class Person:
    """Calls the API: `person(method, path, body)`; `service` is who speaks for them by a service token."""

    def __init__(self, keystone, user, project=None, service=None):
        self._session = keystone.session(user, project)
        self._service = keystone.session(service) if service else None
        self.project = keystone.projects[project or keystone.home(user)]

    @property
    def token(self):
        return self._session.get_token()

    @property
    def service_token(self):
        return self._service.get_token()

    def __call__(self, method, path, body=None, expect=None, version="3.71"):
        """(status, document); with `expect` the status is asserted and the document alone is returned."""
        headers = {"OpenStack-API-Version": f"volume {version}"}
        if self._service:
            headers["X-Service-Token"] = self.service_token
        answer = self._session.request(path, method, json=body, headers=headers, raise_exc=False,
                                       endpoint_filter={"service_type": SERVICE})
        document = answer.json() if answer.content else None
        if expect is None:
            return answer.status_code, document
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return document

    def made(self, kind, **body):
        """Create a resource and wait until it is available."""
        id = self("POST", f"/{kind}", {kind[:-1]: body}, expect=202)[kind[:-1]]["id"]

        def look():
            found = self("GET", f"/{kind}/{id}", expect=200)[kind[:-1]]
            assert not found["status"].startswith("error"), found
            return found if found["status"] == "available" else None

        return until(look, what=f"{kind} {id} being available")

    def removed(self, kind, id):
        self("DELETE", f"/{kind}/{id}", expect=202)
        until(lambda: self("GET", f"/{kind}/{id}")[0] == 404, what=f"{kind} {id} being gone")
