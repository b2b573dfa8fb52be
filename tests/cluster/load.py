"""Clients that create, attach, detach and delete volumes through the balancers, and what the service owes them.

Every request is recorded with its times. An accepted request is a promise; one without an answer may have been executed
or not. `gap` is the longest time without a success of its kind.
"""

import collections
import dataclasses
import http.client
import json
import random
import re
import threading
import time
import uuid

from tests.cluster import balancer
from tests.services import daemons, processes

PROJECT = "11111111111111111111111111111111"
CONNECTOR = {"host": "client", "ip": "10.91.0.254", "initiator": "iqn.1993-08.org.example:client",
             "platform": "x86_64", "os_type": "linux", "multipath": False}
#: Requests of probers: they need the database, a change in it, a call through the broker. Those of owners: "life".
PROBED = ("read", "write", "call")
KINDS = (*PROBED, "life")
#: Owners leave the host to the scheduler, or name it by the type of its volumes.
PLACES = ({}, *({"volume_type": f"host{number}"} for number in (1, 2, 3)))
#: Seconds that a client waits for an answer, and for a volume before it goes on with another.
PATIENCE, LOOKING = 30, 3
#: What a request may be answered while a member is lost, besides success; 0 is none, of a lost balancer. The 500 is
#: a call to a volume service that is lost itself.
UNAVAILABLE = (0, 502, 503, 504)
NO_ANSWER = "did not answer"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request: one of KINDS or "tidy", times in seconds, status and, if it failed, the answer."""

    kind: str
    what: str
    began: float
    ended: float
    status: int
    answer: str

    @property
    def is_success(self):
        return 200 <= self.status < 300

    @property
    def is_allowed(self):
        """Whether a client may get this while a member is lost."""
        return self.is_success or self.status in UNAVAILABLE or (
            self.status in (400, 404, 409)) or (self.status == 500 and NO_ANSWER in self.answer)


def request(method, path, body=None):
    """(status, body) of a request as an administrator; the status is 0 without an answer."""
    connection = http.client.HTTPConnection(balancer.ADDRESS, 8776, timeout=PATIENCE)
    try:
        connection.request(method, f"/v3/{PROJECT}{path}", None if body is None else json.dumps(body), {
            "X-Auth-Token": f"admin:{PROJECT}", "Content-Type": "application/json",
            "OpenStack-API-Version": "volume 3.71"})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else text.decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


class Client(threading.Thread):
    """One client, which pauses between its requests; `promised` is {volume's id: whether it has to exist}."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.requests, self.promised, self.failure = [], {}, None
        self._random, self._end = random.Random(seed), threading.Event()

    def run(self):
        try:
            while not self._end.is_set():
                self._live()
        except Exception as error:  # noqa: BLE001 - it is the test's to raise
            self.failure = error

    def end(self):
        """Let it end after the request that it waits for."""
        self._end.set()

    def ended(self):
        self.join()
        if self.failure:
            raise self.failure

    def _ask(self, kind, method, path, body=None):
        began = time.monotonic()
        status, answer = request(method, path, body)
        self.requests.append(Request(kind, f"{method} {path}", began, time.monotonic(), status,
                                     "" if 200 <= status < 300 else str(answer)))
        self._end.wait(self._random.uniform(0.05, 0.15))
        return answer if 200 <= status < 300 else None


class Prober(Client):
    """A client that repeats one kind of request on a volume of its own, of a host that is not lost."""

    def __init__(self, seed, kind, host):
        super().__init__(seed)
        self._kind = kind
        self._volume = request("POST", "/volumes", {"volume": {"size": 1, "volume_type": host}})[1]["volume"]["id"]
        processes.until(lambda: request("GET", f"/volumes/{self._volume}")[1]["volume"]["status"] == "available", 60,
                        "a new volume")
        self.promised[self._volume] = True

    def _live(self):
        if self._kind == "read":
            self._ask("read", "GET", f"/volumes/{self._volume}")
        elif self._kind == "write":
            self._ask("write", "POST", f"/volumes/{self._volume}/metadata", {"metadata": {"at": str(time.time())}})
        else:
            self._call()

    def _call(self):
        """Attach and detach: both call the volume service. What an attachment without an answer left is removed."""
        attached = self._ask("call", "POST", "/attachments", attachment(self._volume))
        if attached and self._ask("call", "DELETE", f"/attachments/{attached['attachment']['id']}") is not None:
            return
        left = self._ask("tidy", "GET", f"/attachments?volume_id={self._volume}")
        for one in left["attachments"] if left else ():
            self._ask("tidy", "DELETE", f"/attachments/{one['id']}")


def attachment(volume):
    return {"attachment": {"volume_uuid": volume, "instance_uuid": str(uuid.uuid4()), "connector": CONNECTOR}}


class Owner(Client):
    """A client whose volumes are created, attached, detached and deleted."""

    def _live(self):
        """A volume is created, attached, detached and deleted; what fails on the way is left for the end."""
        made = self._ask("life", "POST", "/volumes", {"volume": {"size": 1, **self._random.choice(PLACES)}})
        if not made:
            return
        volume = made["volume"]["id"]
        self.promised[volume] = True
        if self._status(volume) != "available":
            return
        attached = self._ask("life", "POST", "/attachments", attachment(volume))
        if not attached:
            return
        attached_by = attached["attachment"]["id"]
        if (self._ask("life", "POST", f"/attachments/{attached_by}/action", {"os-complete": {}}) is None or
                self._ask("life", "DELETE", f"/attachments/{attached_by}") is None):
            return
        del self.promised[volume]
        if self._ask("life", "DELETE", f"/volumes/{volume}") is not None:
            self.promised[volume] = False

    def _status(self, volume):
        end = time.monotonic() + LOOKING
        while not self._end.is_set():
            found = self._ask("life", "GET", f"/volumes/{volume}")
            status = found and found["volume"]["status"]
            if time.monotonic() > end or status in ("available", "error"):
                return status
        return None


class Load:
    """Several owners of volumes at once, and two probers of each kind, whose volumes are on `host`."""

    def __init__(self, owners, seed, host="host3"):
        self.clients = [*(Owner(f"{seed} {number}") for number in range(owners)),
                        *(Prober(f"{seed} {kind} {number}", kind, host) for kind in PROBED for number in range(2))]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *unused):
        for client in self.clients:
            client.end()
        for client in self.clients:
            client.ended()

    @property
    def requests(self):
        return sorted((one for client in self.clients for one in tuple(client.requests)), key=lambda one: one.ended)

    def successes(self, since=0.0):
        """How many requests of each kind that began after that time have succeeded: the least of the kinds."""
        return min(sum(one.is_success and one.began >= since and one.kind == kind for one in self.requests)
                   for kind in KINDS)

    def gap(self, kind, since):
        """The longest time without a success of that kind, in seconds, from `since` on."""
        ends = [since, *(one.ended for one in self.requests if one.kind == kind and one.is_success)]
        return max((later - earlier for earlier, later in zip(ends, ends[1:], strict=False) if later >= since),
                   default=float("inf"))

    def gaps(self, since):
        """The gap of each kind that is probed, as text."""
        return ", ".join(f"{kind} {self.gap(kind, since):.1f} s" for kind in PROBED)

    def failures(self, since):
        """Those of requests that ended after that time, each kind of answer once, with their number."""
        found = collections.Counter(
            (one.kind, one.status, one.what.split()[0], re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", one.answer)[:160])
            for one in self.requests if one.ended > since and not one.is_success)
        return "\n".join(f"{count} {' '.join(map(str, what))}" for what, count in found.most_common(20))

    def broken(self):
        """The promises that were not kept, a line each; for an idle service."""
        found = []
        for client in self.clients:
            for volume, exists in client.promised.items():
                status, body = request("GET", f"/volumes/{volume}")
                state = body["volume"]["status"] if status == 200 else None
                if status not in (200, 404) or (state is not None) is not exists or state in daemons.TRANSITIONAL:
                    found.append(f"volume {volume}: HTTP {status}, {state}, expected {'one' if exists else 'none'}")
        return found
