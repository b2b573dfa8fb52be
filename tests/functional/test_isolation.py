"""A host whose access was ended reads and writes no more, and who has access goes on, also after restarts.

Each host keeps its session and its secret: the session has to be cut, a login with the secret has to be refused. One
restart serves all actions.
"""

import contextlib
import re

import pytest

from cinder_lite.service.volume import VolumeService
from tests.contract.held import held
from tests.functional.client import Client
from tests.functional.isolated import ENDS, RESTARTS, SERVICE, Site
from tests.functional.service import until
from tests.functional.test_connections import (  # noqa: F401
    HELPERS,
    ONE,
    TWO,
    attached,
    initialized,
    reaches,
    reads,
    serving,
    types,
)
from tests.meta.source import TOP

#: What is tested is the target and what is recorded, not threads.
pytestmark = pytest.mark.once


def name_of(one):
    return one.name


@pytest.fixture(scope="module")
def site():
    with Site(*HELPERS) as running:
        yield running


@pytest.fixture(params=HELPERS)
def helper(request):
    return request.param


def living(site):
    """The connection information of hosts that have access: without and with an attachment, and of a shared volume."""
    client, found = site.client, []
    for helper in site.helpers:
        one, two, shared = (client.made("volumes", size=1, volume_type=f"{helper}-1{kind}")["id"]
                            for kind in ("", "", "-shared"))
        gone, kept = attached(client, shared, ONE), attached(client, shared, TWO)
        client("DELETE", f"/attachments/{gone['id']}", expect=200)
        found += [initialized(client, one), attached(client, two)["connection_info"], kept["connection_info"]]
    return found


def refused(info):
    """Whether a login with that information is refused: who cannot log in to read cannot write."""
    return not reads(info)


def cut(site, helper, end):
    """Connect a host, and end its access by an action, which has to cut its session. Returns its information."""
    id, info = end.connected(site, helper)
    with held(info) as former:
        assert former.reaches()
        end.end(site, id)
        assert not former.reaches()
    return info


@pytest.fixture(scope="module")
def others(site):
    """Sessions of hosts whose access nobody ends."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(held(info)) for info in living(site)]


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_who_has_lost_access_is_cut_and_not_let_in_again(site, others, helper, end):
    assert refused(cut(site, helper, end))
    assert all(other.reaches() for other in others)


def connected(site, ends):
    """{(target, name of the action): (id of a volume, connection information of its host)}."""
    return {(helper, end.name): end.connected(site, helper) for helper in site.helpers for end in ends}


def each_ended(site, known, ends):
    """Do each action to the volumes of `connected`."""
    for helper in site.helpers:
        for end in ends:
            end.end(site, known[helper, end.name][0])


@pytest.fixture(scope="module")
def ended(site):
    """What `connected` returns, of hosts whose access was ended."""
    known = connected(site, ENDS)
    each_ended(site, known, ENDS)
    return known


@pytest.fixture(scope="module", params=RESTARTS, ids="-and-".join)
def restarted(site, ended, request):
    """What was restarted, and hosts that have had access since before: (their information, their sessions)."""
    known = living(site)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(held(info)) for info in known]
        site.restart(*request.param)
        until(lambda: all(reads(info) for info in known), "the exports to be back")
        yield request.param, known, sessions


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_no_restart_brings_access_back_that_was_ended(restarted, ended, helper, end):
    assert refused(ended[helper, end.name][1])


def test_a_restart_leaves_hosts_their_access(restarted):
    what, known, sessions = restarted
    assert all(reaches(info) for info in known)
    # Sessions end with the daemon that serves them; hosts then log in again as before.
    assert [one.reaches() for one in sessions] == [what == (SERVICE,)] * len(sessions)


#: Ends that no service has to agree to.
RECORDED = tuple(end for end in ENDS if end.name in (
    "terminate", "terminate_all", "detach", "reset", "delete_attachment", "detach_attachment",
    "force_detach_attachment", "reset_attachment"))


@pytest.fixture(scope="module")
def ended_without_daemon(site):
    """What `connected` returns, of hosts whose access was ended while the target's daemon was down, which is back."""
    known, others = connected(site, RECORDED), living(site)
    site.end_daemon()
    try:
        each_ended(site, known, RECORDED)
    finally:
        site.start_daemon()
    until(lambda: all(reads(info) for info in others), "the exports to be back")
    return known


@pytest.mark.parametrize("end", RECORDED, ids=name_of)
def test_an_end_while_the_daemon_is_down_is_an_end_when_it_is_back(ended_without_daemon, helper, end):
    assert refused(ended_without_daemon[helper, end.name][1])


class Stoppable:
    """A service in this process, whose volume service can be stopped."""

    def __init__(self, service):
        self.service, self.client = service, Client(service.url)
        self.helpers = sorted({name.rpartition("-")[0] for name in service.backends})

    def stop(self):
        self.service.volume.stop(10)

    def start(self):
        self.service.volume = self.service.services[0] = VolumeService(self.service.process)
        self.service.volume.start()
        until(lambda: self.service.volume.ready and not any(one.failure for one in self.service.volume.backends),
              "the backends to start")


@pytest.fixture(scope="module")
def service():
    with serving(*HELPERS) as running:
        yield running


@pytest.fixture(scope="module")
def ended_without_service(service, types):  # noqa: F811
    """What `connected` returns, of hosts whose access was ended while the volume service was down, which is back; and
    their sessions, by the same keys."""
    stoppable = Stoppable(service)
    with contextlib.ExitStack() as stack:
        known = connected(stoppable, RECORDED)
        sessions = {key: stack.enter_context(held(info)) for key, (_, info) in known.items()}
        assert all(one.reaches() for one in sessions.values())
        stoppable.stop()
        try:
            each_ended(stoppable, known, RECORDED)
        finally:
            stoppable.start()
        yield known, sessions


@pytest.mark.parametrize("end", RECORDED, ids=name_of)
def test_an_end_while_the_volume_service_is_down_is_an_end_when_it_is_back(ended_without_service, helper, end):
    known, sessions = ended_without_service
    former = sessions[helper, end.name]
    until(lambda: not former.reads(), "the session to be cut")
    assert not former.writes()
    assert refused(known[helper, end.name][1])


def test_the_documentation_has_each_action():
    recorded = [end.name for end in RECORDED]
    cells = re.findall(r"^\|.*\| `(\w+)` \| ([ERVD ]+) \| ([ERVD ]+) \| ([ERVDB ]+) \|.*\|$",
                       (TOP / "docs/targets.md").read_text(), re.M)
    words = {end.name: "E R V D" if end.name in recorded else "E R" for end in ENDS}
    assert cells == [(name, words[name], words[name], f"{words[name]} B") for name, *_ in cells]
    assert sorted(words) == sorted(name for name, *_ in cells)
