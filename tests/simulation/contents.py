"""What each volume, snapshot and backup may hold: a model of bytes, advanced by the jobs that end, and by initiators.

A mark is a number in the first bytes of a block. While a copy is made its source may be written to, so that a copy may
have each mark that the source had meanwhile.
"""

import collections
import json
import os

from cinder_lite import states
from tests.simulation.rules import Broken

#: The blocks that are written, and the bytes between them.
BLOCKS, STEP = 3, 1024**2
#: A mark that may be any.
ANY = frozenset(("any",))
ZERO = frozenset((0,))
#: (kind, action) -> the argument or column of the resource from which the content of what the job makes comes.
COPIES = {("snapshot", "create"): "volume_id", ("backup", "create"): None, ("volume", "create"): None}
#: (kind, action) that makes members -> their kind and the column that names it.
MEMBERS = {("group", "create_from"): ("volume", "group_id"),
           ("group_snapshot", "create"): ("snapshot", "group_snapshot_id")}
#: (kind, action) that overwrite a volume.
OVERWRITES = {("volume", "revert"): "snapshot_id", ("backup", "restore"): "volume_id"}


class Contents:
    """By id: a list of (time, block, possible marks), the latest last."""

    def __init__(self, site):
        self.site, self.world = site, site.world
        self.history = collections.defaultdict(list)
        self._seen, self._number = set(), 0

    def now(self, id):
        """{block: possible marks}"""
        return {block: self._during(id, block, self.world.seconds, self.world.seconds) for block in range(BLOCKS)}

    def _during(self, id, block, begin, end):
        """The marks that the block may have had at any time between."""
        before, between = ZERO, frozenset()
        for time, which, marks in self.history[id]:
            if which == block and time <= begin:
                before = marks
            elif which == block and time <= end:
                between |= marks
        return before | between

    def _set(self, id, block, marks):
        self.history[id].append((self.world.seconds, block, frozenset(marks)))

    def images(self, images):
        """The marks of the images that are there."""
        for id, image in images.items():
            for block, mark in image.marks.items():
                self._set(id, block, (int.from_bytes(mark, "big"),))

    # -- initiators

    def write(self, volume_id, path, block):
        """An initiator writes a new mark, durably."""
        self._number += 1
        with open(path, "r+b") as file:
            file.seek(block * STEP)
            file.write(self._number.to_bytes(8, "big"))
        self._set(volume_id, block, (self._number,))
        self.world.record("written", volume_id, block, self._number)

    # -- jobs

    def advance(self):
        """Apply the jobs that have ended since the last call."""
        for row in self.site.rows("SELECT * FROM jobs WHERE status IN ('succeeded', 'failed')"):
            if row["id"] not in self._seen:
                self._seen.add(row["id"])
                self._apply(row, json.loads(row["args"] or "{}"))

    def _apply(self, job, args):
        key, id = (job["kind"], job["action"]), job["resource_id"]
        done = job["status"] == states.SUCCEEDED
        # By the clock of the host that recorded it.
        begin = self.site.seconds_of(job["created_at"]) - max(map(abs, self.world.skews.values()), default=0)
        if key in OVERWRITES:
            volume, source = (id, args.get("snapshot_id")) if key[0] == "volume" else (args.get("volume_id"), id)
            self._become(volume, source if done else None, begin)
        elif key in COPIES and done:
            self._become(id, self._source(key, id, args), begin)
        elif done and (key == ("group", "create_from") or key == ("group_snapshot", "create")):
            self._become_members(*MEMBERS[key], id, begin)
        elif key[0] == "volume" and key[1].startswith("reimage"):
            self._become(id, args["image_id"] if done else None, begin)
        elif done and key[0] == "volume" and key[1].startswith("upload"):
            self._become(args["image_id"], id, begin)
        elif done and job["action"] == "manage":
            self._become(id, None, begin)

    def _source(self, key, id, args):
        table = {"volume": "volumes", "snapshot": "snapshots", "backup": "backups"}[key[0]]
        row = next(iter(self.site.rows(f"SELECT * FROM {table} WHERE id = ?", id)), None)
        if row is None:
            return None
        if key[0] == "volume":
            return (row["snapshot_id"] or row["source_volid"] or row["backup_id"] or
                    json.loads(row["image_metadata"] or "{}").get("image_id") or "nothing")
        return (row["snapshot_id"] if key[0] == "backup" else None) or row["volume_id"]

    def _become_members(self, kind, column, id, begin):
        for row in self.site.rows(f"SELECT * FROM {kind}s WHERE {column} = ?", id):
            self._become(row["id"], self._source((kind, "create"), row["id"], {}), begin)

    def _become(self, id, source, begin):
        for block in range(BLOCKS):
            self._set(id, block, ANY if source is None else ZERO if source == "nothing" else self._during(
                source, block, begin, self.world.seconds))

    # -- the end

    def check(self):
        """Compare with the files of available volumes and snapshots. Raises Broken."""
        for kind, table in (("volume", "volumes"), ("snapshot", "snapshots")):
            for row in self.site.rows(f"SELECT * FROM {table} WHERE status IN ('available', 'in-use')"):
                if row["id"] not in self.site.reset:
                    self._compare(kind, row)

    def _compare(self, kind, row):
        name = row["name_id"] or row["id"] if kind == "volume" else row["id"]
        place = row if kind == "volume" else self.site.rows(
            "SELECT host FROM volumes WHERE id = ?", row["volume_id"])[0]
        path = os.path.join(self.site.top, f"volumes-{place['host'].rpartition('#')[2]}", f"{kind}-{name}")
        found = {}
        with open(path, "rb") as file:
            for block in range(BLOCKS):
                file.seek(block * STEP)
                found[block] = int.from_bytes(file.read(8), "big")
        expected = self.now(row["id"])
        wrong = {block: (mark, sorted(map(str, expected[block]))) for block, mark in found.items()
                 if mark not in expected[block] and expected[block] & ANY != ANY}
        if wrong:
            raise Broken(f"{kind} {row['id']} holds {wrong}: (found, expected) by block")
