"""A route that summarizes the volumes of a project, and one that nobody may use unless the policy file allows it."""

from cinder_lite.api.body_schema import closed, wrapped
from cinder_lite.api.policy import READER
from cinder_lite.api.route import Route
from cinder_lite.api.view import plain
from cinder_lite.db import volumes

POLICIES = {
    "outside:summary": (READER, "See the summary of a project."),
    "outside:greet": ("!", "Have a text sent back."),
}
SUMMARY = wrapped("summary", closed({"greeting": {"type": "string"}, "volumes": {"type": "integer"}}))
GREET = wrapped("greet", closed({"name": {"type": "string", "maxLength": 20}}, ["name"]))


def show(req):
    """GET /outside-summary"""
    with req.db.read() as tx:
        found = volumes.summary(tx, volumes.visible_to(req.ctx, False))
    return {"summary": {"greeting": req.conf.outside.greeting, "volumes": found[0]}}


def greet(req):
    """POST /outside-summary"""
    return {"greeting": f"{req.conf.outside.greeting} {req.body['name']}"}


ROUTES = (
    Route("GET", "/outside-summary", show, "outside:summary", view=plain, response=SUMMARY),
    Route("POST", "/outside-summary", greet, "outside:greet", GREET, plain),
)
