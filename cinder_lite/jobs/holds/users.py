"""Claims and releases what hosts and servers have of a volume: connections, copies, new images, awaited events."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import attachments, backups, connections, jobs, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.holds.base import Holding, Start, args_of
from cinder_lite.jobs.holds.cleanup import schedule_copy_cleanup


class Connections(Holding, of=states.Connections):
    """See states.Connections. A volume that is being deleted has them ended when that fails."""

    @staticmethod
    def claim(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Connections, start: Start) -> None:
        if not hold.when_failed:
            connections.end_of_volume(tx, start.resource_id)

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Connections, _job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        if hold.when_failed and row is not None:
            connections.end_of_volume(tx, row.id)


class FrozenCopy(Holding, of=states.FrozenCopy):
    """See states.FrozenCopy."""

    no_claim = "the work makes and removes it; when it ends otherwise, a job of its own removes it"

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, _hold: states.FrozenCopy, job: db.Row, kind: str,
                row: db.Row | None) -> None:
        if kind == "backup":
            volume, copy_id = _volume_of_backup(tx, job.resource_id), job.resource_id
        else:
            volume, copy_id = row, job.id
        # Whether there is one depends on attachments that may have ended since the work began.
        if volume is not None and volume.host and job.attempt:
            schedule_copy_cleanup(tx, job, volume, copy_id)


def _volume_of_backup(tx, id):
    """The volume that a backup is made of, itself and not a snapshot of it; or None."""
    row = backups.find(tx, id)
    return volumes.find(tx, row.volume_id) if row is not None and row.snapshot_id is None else None


class NewImage(Holding, of=states.NewImage):
    """See states.NewImage."""

    no_claim = "the API makes it before the job is recorded"

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, _hold: states.NewImage, job: db.Row, _kind: str,
                _row: db.Row | None) -> None:
        if image_id := args_of(job).get("image_id"):
            jobs.add(tx, jobs.requester(job, overwrite=False), "image", image_id, "delete", states.VOLUME, job.host)


class WaitingServers(Holding, of=states.WaitingServers):
    """See states.WaitingServers."""

    no_claim = "a server that is being rebuilt has reserved its volume before"

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.WaitingServers, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        if row is None:
            return
        servers = [one.instance_uuid for one in attachments.of_volume(tx, row.id)
                   if one.instance_uuid and one.attach_status == states.RESERVED]
        if servers:
            jobs.add(tx, jobs.requester(job, overwrite=False), "server", row.id, hold.event, states.VOLUME,
                     job.host or service_of(row.host), {"servers": servers, "succeeded": False})
