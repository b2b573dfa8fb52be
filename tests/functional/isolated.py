"""Ends of access to volumes, and a service with its target that is restarted, for tests of isolation."""

import dataclasses
import os
import signal
from collections.abc import Callable

from tests.functional import test_connections as connections
from tests.functional.killable import Killable
from tests.functional.service import left, until
from tests.functional.test_connections import (
    ONE,
    SERVER,
    TWO,
    act,
    attached,
    initialized,
    with_initiator,
)

SERVICE, DAEMON = "service", "daemon"
#: What is restarted: by the host, both.
RESTARTS = ((SERVICE,), (DAEMON,), (SERVICE, DAEMON))
POLLING = "backend_stats_polling_interval = 1\n"


class Site(Killable):
    """All services as one process, with two backends of each target; `url` is the API's.

    `default` are further settings, `options` those of the backends.
    """

    def __init__(self, *helpers, default="", options=""):
        super().__init__(connections.serving(*helpers, default=POLLING + default, options=options))
        self.helpers, self.url = helpers, self.configured.url

    def __enter__(self):
        self.start_daemon()
        super().__enter__()
        connections.add_types(self.client, self.configured.backends)
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.end_daemon()
        self.configured.remove()

    def restart(self, *what):
        """Kill the service, the target's daemon, or both, and start them again."""
        if SERVICE in what:
            self.process.kill()
        if DAEMON in what:
            self.end_daemon()
            self.start_daemon()
        if SERVICE in what:
            self.start()

    def start_daemon(self):
        if self.configured.tgtd is not None:
            self.configured.tgtd.start()

    def end_daemon(self):
        """Kill what serves exports: tgtd, or all qemu-nbd."""
        if self.configured.tgtd is not None:
            self.configured.tgtd.stop()
        serving = [pid for pid, argv in left(self.state).items() if argv.startswith("qemu-nbd ")]
        for pid in serving:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in serving), "the exports to end")


@dataclasses.dataclass(frozen=True)
class End:
    """An action that ends a host's access: how the host was connected, and the action."""

    action: Callable
    connect: Callable = initialized
    shared: bool = False

    @property
    def name(self):
        return self.action.__name__.strip("_")

    def connected(self, site, helper):
        """(id of a volume of that target, connection information of its host)."""
        kind = f"{helper}-1{'-shared' if self.shared else ''}"
        id = site.client.made("volumes", size=1, volume_type=kind)["id"]
        return id, self.connect(site.client, id)

    def end(self, site, id):
        self.action(site, site.client, id)


def _attachment(client, id):
    return client("GET", f"/attachments?volume_id={id}", expect=200)["attachments"][0]["id"]


def _delete_attachment(site, client, id):
    client("DELETE", f"/attachments/{_attachment(client, id)}", expect=200)


def _detach_attachment(site, client, id):
    act(client, id, "os-detach", {"attachment_id": _attachment(client, id)})


def _force_detach_attachment(site, client, id):
    act(client, id, "os-force_detach", {"attachment_id": _attachment(client, id), "connector": ONE})


def _reset_attachment(site, client, id):
    connections._reset(site, client, id)


def _give_attachment_to_another_host(site, client, id):
    client("PUT", f"/attachments/{_attachment(client, id)}", {"attachment": {"connector": TWO}}, expect=200)


def _attached_info(client, id):
    return attached(client, id)["connection_info"]


def _attaching_info(client, id):
    """The same for an attachment that is not complete."""
    body = {"attachment": {"volume_uuid": id, "connector": ONE, "instance_uuid": SERVER}}
    return with_initiator(client("POST", "/attachments", body, expect=200)["attachment"], ONE)["connection_info"]


ENDS = (
    *(End(one) for one in connections.ENDS if one is not connections._another_is_detached),
    End(connections._another_is_detached, shared=True),
    *(End(one, _attached_info) for one in (
        _delete_attachment, _detach_attachment, _force_detach_attachment, _reset_attachment)),
    End(_give_attachment_to_another_host, _attaching_info))


def reimaging(glance):
    """The End by which an image of that Glance is written over the volume."""
    def _reimage(site, client, id):
        image = glance.create(b"another system" * 1024)
        act(client, id, "os-reimage", {"image_id": image})
        client.settled("volumes", id)

    return End(_reimage)
