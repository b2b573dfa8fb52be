"""Clients that create, change and delete volumes, snapshots and backups at random, and record the accepted requests.

Each client has its own resources and records their expected contents. `broken` checks later that each accepted request
(202) was completed. A request without an answer may have been executed or not; both are correct.
"""

import dataclasses
import hashlib
import http.client
import random
import threading
import time

from tests.services import daemons

MIB = 1024**2
#: All that is written lies within the first so many bytes; (offset, length) of the two parts.
WRITTEN = 6 * MIB
PARTS = ((0, MIB), (4 * MIB + 4096, MIB))
#: Things of each kind above which a client rather removes some.
MOST = {"volumes": 6, "snapshots": 5, "backups": 5}
CONNECTOR = {"host": "client", "ip": "127.0.0.1", "initiator": "iqn.1993-08.org.example:client", "platform": "x86_64",
             "os_type": "linux", "multipath": False}
BLANK = 0


def pattern(seed):
    """The bytes of volumes with that content in PARTS; BLANK are zeros."""
    return random.Random(seed).randbytes(MIB) if seed != BLANK else bytes(MIB)


def digest_of(seed):
    data = bytearray(WRITTEN)
    for offset, length in PARTS:
        data[offset:offset + length] = pattern(seed)
    return hashlib.sha256(data).hexdigest()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(WRITTEN)).hexdigest()


@dataclasses.dataclass(eq=False)
class Thing:
    """A volume, snapshot or backup: its expected state after all responses.

    `contents` and `sizes` are the possible contents and sizes, several if a response was lost. No contents: any
    content. `going` is "" or "yes" (a delete was accepted) or "perhaps".
    """

    kind: str
    id: str
    contents: frozenset
    sizes: frozenset
    source: "Thing | None" = None
    made_from_it: list = dataclasses.field(default_factory=list)
    going: str = ""
    unsure: bool = False

    def __str__(self):
        return f"{self.kind[:-1]} {self.id}"


class Client(threading.Thread):
    """One of several clients: `pause` it, check whether anything is `broken`, `resume` it."""

    def __init__(self, service, seed):
        super().__init__(daemon=True)
        self.service, self.random = service, random.Random(seed)
        self.things, self.failure = [], None
        self.accepted = self.refused = self.unanswered = self.unconnected = 0
        self._run, self._idle, self._end = threading.Event(), threading.Event(), False
        self._seeds = iter(range(1, 1 << 30))

    # -- control

    def run(self):
        while not self._end:
            if not self._run.is_set():
                self._idle.set()
                self._run.wait(0.1)
                continue
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - it is the test's to raise
                self.failure, self._end = error, True
        self._idle.set()

    def pause(self):
        self._run.clear()
        self._idle.clear()
        self._idle.wait()
        if self.failure:
            raise self.failure

    def resume(self):
        self._run.set()

    def end(self):
        self._end = True

    # -- requests

    def ask(self, method, path, body=None):
        try:
            return self.service.request(method, path, body)
        except http.client.HTTPException:
            return 0, None

    def read(self, path):
        """The answer to a GET, asked again until there is one below 500."""
        while True:
            status, body = self.ask("GET", path)
            if 200 <= status < 500:
                return status, body
            time.sleep(0.1)

    def status(self, thing):
        status, body = self.read(f"/{thing.kind}/{thing.id}")
        return body[thing.kind[:-1]]["status"] if status == 200 else None

    def change(self, path, body, *touched):
        """A POST or DELETE (no body) that changes the things; True accepted, False refused, None unknown."""
        status, answer = self.ask("POST" if body is not None else "DELETE", path, body)
        if status in (200, 202, 204):
            self.accepted += 1
            return answer or True
        if 400 <= status < 500:
            self.refused += 1
            return False
        self.unanswered += 1
        self.unconnected += path.startswith("/attachments")
        for thing in touched:
            thing.unsure = True
        return None

    # -- what they do

    def _step(self):
        time.sleep(self.random.uniform(0, 0.15))
        actions, weights = zip(*ACTIONS.items(), strict=True)
        self.random.choices(actions, weights)[0](self)
        if self.things and self.random.random() < 0.3:
            self._settle(self.things[-1])

    def _settle(self, thing):
        end = time.monotonic() + 5
        while self._run.is_set() and time.monotonic() < end and self.status(thing) in daemons.TRANSITIONAL:
            time.sleep(0.05)

    def _one(self, kind, ready=True):
        """A thing of that kind, or None; `ready` ones only where it is available."""
        found = [thing for thing in self.things if thing.kind == kind and not thing.going]
        thing = self.random.choice(found) if found else None
        return thing if thing is not None and (not ready or self.status(thing) == "available") else None

    def _full(self, kind):
        return sum(thing.kind == kind and not thing.going for thing in self.things) >= MOST[kind]

    def _make(self, kind, source=None, contents=frozenset((BLANK,)), size=None, **body):
        if self._full(kind):
            return self._remove(kind)
        touched = [source] if source is not None else []
        made = self.change(f"/{kind}", {kind[:-1]: {**body, **({"size": size} if size else {})}}, *touched)
        if made:
            made = made[kind[:-1]]
            # The answer about a backup has no size.
            sizes = frozenset((made["size"],)) if "size" in made else source.sizes
            self._keep(Thing(kind, made["id"], contents, sizes, source))
        return None

    def _keep(self, thing):
        self.things.append(thing)
        if thing.source is not None:
            thing.source.made_from_it.append(thing)

    def create(self):
        self._make("volumes", size=self.random.choice((1, 1, 2)))

    def create_from_snapshot(self):
        if snapshot := self._one("snapshots"):
            self._make("volumes", snapshot, snapshot.contents, snapshot_id=snapshot.id)

    def clone(self):
        if volume := self._one("volumes"):
            self._make("volumes", volume, volume.contents, source_volid=volume.id)

    def create_from_backup(self):
        if backup := self._one("backups"):
            self._make("volumes", backup, backup.contents, backup_id=backup.id)

    def snapshot(self):
        if volume := self._one("volumes"):
            self._make("snapshots", volume, volume.contents, volume_id=volume.id, force=True)

    def back_up(self):
        if volume := self._one("volumes", ready=False):
            self._make("backups", volume, volume.contents, volume_id=volume.id, force=True,
                       incremental=self.random.random() < 0.5)

    def back_up_snapshot(self):
        if snapshot := self._one("snapshots"):
            self._make("backups", snapshot, snapshot.contents, volume_id=snapshot.source.id, snapshot_id=snapshot.id,
                       force=True)

    def extend(self):
        if volume := self._one("volumes"):
            new = max(volume.sizes) + 1
            done = self.change(f"/volumes/{volume.id}/action", {"os-extend": {"new_size": new}}, volume)
            if done is not False:
                volume.sizes = frozenset((new,)) if done else volume.sizes | {new}

    def revert(self):
        snapshot = self._one("snapshots")
        if snapshot is not None and not snapshot.source.going:
            volume = snapshot.source
            self._overwritten(volume, snapshot, self.change(
                f"/volumes/{volume.id}/action", {"revert": {"snapshot_id": snapshot.id}}, volume, snapshot))

    def restore(self):
        backup, volume = self._one("backups"), self._one("volumes")
        if backup is not None and volume is not None:
            self._overwritten(volume, backup, self.change(
                f"/backups/{backup.id}/restore", {"restore": {"volume_id": volume.id}}, volume, backup))

    @staticmethod
    def _overwritten(volume, source, done):
        if done is not False:
            volume.contents = source.contents if done else volume.contents | source.contents

    def restore_to_new(self):
        backup = self._one("backups")
        if backup is not None and not self._full("volumes"):
            made = self.change(f"/backups/{backup.id}/restore", {"restore": {}}, backup)
            if made:
                self._keep(Thing("volumes", made["restore"]["volume_id"], backup.contents, backup.sizes, backup))

    def write(self):
        """Write to a volume that no operation reads at the moment."""
        volume = self._one("volumes")
        if volume is None or volume.unsure or any(
                thing.unsure or self.status(thing) in daemons.TRANSITIONAL for thing in volume.made_from_it):
            return
        seed = next(self._seeds)
        with open(self.service.path(f"volume-{volume.id}"), "r+b") as file:
            for offset, _ in PARTS:
                file.seek(offset)
                file.write(pattern(seed))
        volume.contents = frozenset((seed,))

    def remove_volume(self):
        self._remove("volumes")

    def remove_snapshot(self):
        self._remove("snapshots")

    def remove_backup(self):
        self._remove("backups")

    def remove_cascade(self):
        if volume := self._one("volumes"):
            snapshots = [thing for thing in self.things if thing.source is volume and thing.kind == "snapshots"]
            self._going(self.change(f"/volumes/{volume.id}?cascade=True", None, volume, *snapshots), volume, *snapshots)

    def _remove(self, kind):
        if thing := self._one(kind, ready=False):
            self._going(self.change(f"/{kind}/{thing.id}", None, thing), thing)

    @staticmethod
    def _going(done, *things):
        if done is not False:
            for thing in things:
                thing.going = "yes" if done else thing.going or "perhaps"

    def attach(self):
        if volume := self._one("volumes"):
            made = self.change("/attachments", {"attachment": {
                "volume_uuid": volume.id, "instance_uuid": SERVER, "connector": CONNECTOR}}, volume)
            if made:
                self.change(f"/attachments/{made['attachment']['id']}/action", {"os-complete": {}}, volume)

    def detach(self):
        volume = self._one("volumes", ready=False)
        if volume is not None:
            for one in self.read(f"/attachments?volume_id={volume.id}")[1]["attachments"]:
                self.change(f"/attachments/{one['id']}", None, volume)


SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
#: What a client does -> how often, relative to the others.
ACTIONS = {
    Client.create: 4, Client.create_from_snapshot: 2, Client.clone: 2, Client.create_from_backup: 1, Client.snapshot: 3,
    Client.back_up: 3, Client.back_up_snapshot: 1, Client.extend: 2, Client.revert: 2, Client.restore: 1,
    Client.restore_to_new: 1, Client.write: 4, Client.remove_volume: 2, Client.remove_snapshot: 2,
    Client.remove_backup: 2, Client.remove_cascade: 1, Client.attach: 1, Client.detach: 2,
}
