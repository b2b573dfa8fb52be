"""A host whose access was ended reads and writes no more, and who has access goes on, also after restarts.

Each host keeps its session and its secret: the session has to be cut, a login with the secret has to be refused.
"""

import contextlib
import dataclasses

import pytest

from cinder_lite.service.volume import VolumeService
from tests.contract.held import held
from tests.functional.client import Client
from tests.functional.isolated import ENDS, RESTARTS, SERVICE, Site
from tests.functional.service import Service, until
from tests.functional.test_connections import (
    HELPERS,
    ONE,
    TWO,
    add_types,
    attached,
    initialized,
    reaches,
    reads,
    serving,
    writes,
)
from tests.meta.source import TOP

#: What is tested is the target and what is recorded, not threads.
pytestmark = pytest.mark.once


def name_of(one):
    return one.name


@pytest.fixture(scope="module", params=HELPERS)
def site(request):
    with Site(request.param) as running:
        yield running


def living(site):
    """The connection information of hosts that have access: without and with an attachment, and of a shared volume."""
    client = site.client
    one, two, shared = (client.made("volumes", size=1, volume_type=f"{site.helper}-1{kind}")["id"]
                        for kind in ("", "", "-shared"))
    gone, kept = attached(client, shared, ONE), attached(client, shared, TWO)
    client("DELETE", f"/attachments/{gone['id']}", expect=200)
    return [initialized(client, one), attached(client, two)["connection_info"], kept["connection_info"]]


@pytest.fixture(scope="module")
def others(site):
    """Sessions of hosts whose access nobody ends."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(held(info)) for info in living(site)]


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_who_has_lost_access_is_cut_and_not_let_in_again(site, others, end):
    id, info = end.connected(site)
    with held(info) as former:
        assert former.reaches()
        end.end(site, id)
        assert not former.reaches()
    assert not reads(info) and not writes(info)
    assert all(other.reaches() for other in others)


@pytest.fixture(scope="module")
def ended(site):
    """{name of the action: connection information of the host whose access it ended}."""
    found = {}
    for end in ENDS:
        id, found[end.name] = end.connected(site)
        end.end(site, id)
    return found


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
def test_no_restart_brings_access_back_that_was_ended(restarted, ended, end):
    assert not reads(ended[end.name]) and not writes(ended[end.name])


def test_a_restart_leaves_hosts_their_access(restarted):
    what, known, sessions = restarted
    assert all(reaches(info) for info in known)
    # Sessions end with the daemon that serves them; hosts then log in again as before.
    assert [one.reaches() for one in sessions] == [what == (SERVICE,)] * len(sessions)


#: Ends that no service has to agree to.
RECORDED = tuple(end for end in ENDS if end.name in (
    "terminate", "terminate_all", "detach", "reset", "delete_attachment", "detach_attachment",
    "force_detach_attachment", "reset_attachment"))


@pytest.mark.parametrize("end", RECORDED, ids=name_of)
def test_an_end_while_the_daemon_is_down_is_an_end_when_it_is_back(site, end):
    id, info = end.connected(site)
    known = living(site)
    site.end_daemon()
    try:
        end.end(site, id)
    finally:
        site.start_daemon()
    until(lambda: all(reads(info) for info in known), "the exports to be back")
    assert not reads(info) and not writes(info)


@dataclasses.dataclass
class Stoppable:
    """A service in this process, whose volume service can be stopped, with one of its targets."""

    service: Service
    helper: str

    @property
    def client(self):
        return Client(self.service.url)

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
        add_types(Client(running.url), running.backends)
        yield running


@pytest.fixture(params=HELPERS)
def stoppable(service, request):
    return Stoppable(service, request.param)


@pytest.mark.parametrize("end", RECORDED, ids=name_of)
def test_an_end_while_the_volume_service_is_down_is_an_end_when_it_is_back(stoppable, end):
    id, info = end.connected(stoppable)
    with held(info) as former:
        assert former.reaches()
        stoppable.stop()
        try:
            end.end(stoppable, id)
        finally:
            stoppable.start()
        until(lambda: not former.reads(), "the session to be cut")
        assert not former.writes()
    assert not reads(info) and not writes(info)


def test_the_documentation_has_each_action():
    text = (TOP / "docs/targets.md").read_text()
    assert [end.name for end in ENDS if f"| `{end.name}` |" not in text] == []
