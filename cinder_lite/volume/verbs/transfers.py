"""Transfers volumes to the project that presents the key of the transfer."""

import hashlib
import hmac
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import connections, guards, metadata_index, quotas, snapshots, transfers, types, volumes
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.volume import foreign
from cinder_lite.volume.connecting import ConnectionClient


def _digest(salt, key, kind=hashlib.sha256):
    return hmac.new(salt.encode(), key.encode(), kind).hexdigest()


def _opens(key, row):
    """Whether the key is that of the transfer. Transfers imported from Cinder have a shorter digest."""
    kind = hashlib.sha1 if len(row.digest) == 40 else hashlib.sha256
    return hmac.compare_digest(row.digest, _digest(row.salt, key, kind))


class Transfers:
    """The operations on transfers."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any = None) -> None:
        self.db, self.conf = database, conf
        self._connecting = ConnectionClient(database, conf, volume)

    @db.retried
    def create(self, ctx: context.Context, volume_id: str, name: str | None, without_snapshots: bool = False,
               encrypted_too: bool = False) -> tuple[db.Row | None, str]:
        """Offer the volume, with its snapshots unless `without_snapshots`. Returns the row and the key (not stored)."""
        key, salt = randomness.token_hex(8), randomness.token_hex(16)
        with self.db.write() as tx:
            volume = volumes.get(tx, ctx, volume_id)
            needed = [guards.NOT_ATTACHED, guards.NOT_MIGRATING, guards.NO_GROUP]
            if not encrypted_too or without_snapshots:
                needed.append(guards.NOT_ENCRYPTED_TO_GIVE)
            VOLUME.begin(tx, ctx, volume_id, "transfer", needed)
            if not without_snapshots:
                self._check_snapshots(tx, ctx, volume_id)
            row = {"id": randomness.new_id(), "volume_id": volume_id, "project_id": volume.project_id, "name": name,
                   "salt": salt, "digest": _digest(salt, key), "no_snapshots": without_snapshots,
                   "created_at": db.now()}
            transfers.insert(tx, row)
            return transfers.find(tx, row["id"]), key

    @staticmethod
    def _check_snapshots(tx, ctx, volume_id):
        transferred = snapshots.of_volume(tx, volume_id)
        foreign.check(ctx, "volume", "snapshot", transferred)
        for one in transferred:
            if one.status != states.AVAILABLE or one.group_snapshot_id is not None:
                why = "belongs to a group snapshot" if one.group_snapshot_id else f"is {one.status}"
                raise errors.InvalidState(kind="snapshot", reason=(
                    f"{one.id}, which belongs to the volume, {why}; only available ones outside group snapshots can be "
                    "transferred"))

    @db.retried
    def delete(self, ctx: context.Context, id: str) -> None:
        """Withdraw the offer."""
        with self.db.write() as tx:
            row = transfers.get(tx, ctx, id)
            if transfers.delete(tx, id):
                VOLUME.settle(tx, row.volume_id, "transfer", False)

    def accept(self, ctx: context.Context, id: str, key: str) -> db.Row:
        """Give the volume to the requester's project. Returns the transfer. Raises BadRequest for a wrong key.

        The access of all hosts to the volume is revoked first.
        """
        row, volume, allowance = self._check(ctx, id, key)
        self._connecting.end_all(ctx, volume.id)
        self._accept(ctx, row, volume, allowance)
        return row

    def _check(self, ctx, id, key):
        with self.db.read() as tx:
            row = transfers.find(tx, id)
            if not _opens(key, row):
                raise errors.BadRequest(f"The key does not open transfer {id}.")
            volume = volumes.find(tx, row.volume_id)
            if volume is None:
                raise errors.VolumeNotFound(id=row.volume_id)
            self._check_type(tx, ctx, volume)
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
        quotas.check_volume_size(volume.size, allowance)
        return row, volume, allowance

    @db.retried
    def _accept(self, ctx, row, volume, allowance):
        with self.db.write() as tx:
            if not transfers.delete(tx, row.id):
                raise errors.TransferNotFound(id=row.id)
            self._change_owner(tx, ctx, row, volume, allowance)
            if connections.of_volume(tx, volume.id):
                raise errors.Conflict(f"A host is still connected to volume {volume.id}; try again.")

    @staticmethod
    def _check_type(tx, ctx, volume):
        try:
            types.get(tx, ctx, volume.volume_type_id)
        except errors.TypeNotFound as error:
            raise errors.BadRequest(f"Volume {volume.id} is of type {volume.type_name}, which project {ctx.project_id} "
                                    "may not use; an administrator can share the type with it.") from error

    def _change_owner(self, tx, ctx, row, volume, allowance):
        owner = {"project_id": ctx.project_id, "user_id": ctx.user_id}
        volume = VOLUME.locked(tx, volume.id) or volume
        if not VOLUME.settle(tx, volume.id, "transfer", True, **owner):
            raise errors.InvalidState(kind="volume", reason=f"{volume.id} is not {states.AWAITING} any more")
        counted = [("volume", volume)] if volume.counted else []
        transferred = [] if row.no_snapshots else snapshots.of_volume(tx, volume.id, locked=True)
        if volume.admin_metadata or any(one.metadata for one in (volume, *transferred)):
            metadata_index.change_project(tx, [volume.id, *(one.id for one in transferred)], ctx.project_id)
        for one in transferred:
            SNAPSHOT.write(tx, one.id, **owner)
            if one.counted:
                counted.append(("snapshot", one))
        holds.change_owner(tx, self.conf, counted, ctx.project_id, allowance)
