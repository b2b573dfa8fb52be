"""Bodies of every operation and microversion are accepted and refused as by Cinder, with listed exceptions."""

import re

import pytest

from cinder_lite.api import versions
from cinder_lite.api.routes import ROUTES
from tests.acceptance.edge import probes, reasons
from tests.functional import bodies

WITH_BODY = [route for route in ROUTES if route.body is not None]
_HOST, _SERVICE = {"host": "h@b#p"}, {"host": "h", "binary": "cinder-volume"}
_NAMED = {"name": "a"}
#: Bodies that neither API refuses, where the smallest that the schema takes is not enough.
BASES = {
    "POST /volumes": {"volume": {"size": 1}},
    "POST /volumes/{volume_id}/action os-attach": {"os-attach": {"mountpoint": "/dev/vdb", "instance_uuid": probes.ID}},
    "POST /volumes/{volume_id}/action os-migrate_volume": {"os-migrate_volume": _HOST},
    "POST /groups/action create-from-src": {"create-from-src": {"source_group_id": probes.ID}},
    "POST /consistencygroups/create_from_src": {"consistencygroup-from-src": {"source_cgid": "a"}},
    "PUT /groups/{group_id}": {"group": _NAMED}, "PUT /group_types/{group_type_id}": {"group_type": _NAMED},
    "PUT /consistencygroups/{group_id}": {"consistencygroup": _NAMED},
    "PUT /consistencygroups/{group_id}/update": {"consistencygroup": _NAMED},
    "PUT /backups/{backup_id}": {"backup": _NAMED}, "PUT /types/{type_id}": {"volume_type": _NAMED},
    "PUT /volumes/{volume_id}": {"volume": _NAMED}, "PUT /snapshots/{snapshot_id}": {"snapshot": _NAMED},
    "PUT /os-quota-sets/{target_project_id}": {"quota_set": {"volumes": 1}},
    "PUT /os-services/enable": _SERVICE, "PUT /os-services/disable": _SERVICE,
    "PUT /os-services/disable-log-reason": {**_SERVICE, "disabled_reason": "a"}}
#: What says that a body was good, but there is no Glance that could be asked for the image.
NO_GLANCE = ("There is no image service", "Invalid image identifier or unable to access requested image")


def name(route):
    return f"{route.method} {route.path}{f' {route.action}' if route.action else ''}"


def path(route):
    """The path of a resource that is not there, so that what is good ends as 404 and changes nothing."""
    return re.sub(r"\{[a-z_]+\}", probes.ID, route.path.replace("{key}", "a"))


def refused(status, answer):
    return status == 400 and not any(sentence in str(answer) for sentence in NO_GLANCE)


def minors(route, both):
    """The minor versions at which the schema of that body may be another than before, here or at Cinder."""
    served = [minor for minor in range(versions.MAXIMUM[1] + 1) if route.served_at((3, minor))]
    ours = [probes.plain(route.body, (3, minor)) for minor in served]
    return [minor for number, minor in enumerate(served)
            if minor in both.cinder.minors or minor - 1 not in served or ours[number] != ours[number - 1]]


def differences(route, both):
    """[(microversion, place, value, answers)] of what one API refuses and the other does not."""
    found, seen = [], set()
    for minor in minors(route, both):
        version = (3, minor)
        base = BASES.get(name(route)) or bodies.smallest(route.body, version)
        schemas = both.schemas(route.method, path(route), f"3.{minor}", base)
        wanted = probes.probes(base, probes.plain(route.body, version), *schemas, seen=seen)
        answers = both.ask([(route.method, path(route), f"3.{minor}", body, True) for body in wanted.values()])
        for (place, value), (ours, theirs) in zip(wanted, answers, strict=True):
            assert ours[0] < 500, (place, value, ours)
            # What Cinder fails at is no example.
            if theirs[0] < 500 and refused(*ours) != refused(*theirs):
                found.append((f"3.{minor}", place, value, ours, theirs))
    return found


@pytest.mark.parametrize("route", WITH_BODY, ids=name)
def test_bodies_are_taken_as_cinder_takes_them(route, both):
    unexplained = [one for one in differences(route, both) if reasons.why(name(route), *one[1:3]) is None]
    assert unexplained == [], "\n".join(f"{version} {place}: {value}: {str(ours)[:200]} here, {str(theirs)[:200]} there"
                                        for version, place, value, ours, theirs in unexplained)
