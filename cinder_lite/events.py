"""What consumers of Cinder's notifications are told on the bus: when work on a resource begins, and when it is done.

The end of work and the notice of it are one transaction, and the notice stays in the database until the broker has it: it is
sent once or, after a crash, twice with the same message_id. Nothing is told of what failed: its end never comes.
"""

import logging

from cinder_lite import concurrency, db
from cinder_lite.db import notices

LOG = logging.getLogger(__name__)

#: (kind, action) of a job -> Cinder's name of the event, without .start and .end.
EVENTS = {
    ("volume", "create"): "volume.create", ("volume", "delete"): "volume.delete", ("volume", "force_delete"): "volume.delete",
    ("volume", "extend"): "volume.resize", ("volume", "revert"): "volume.revert", ("volume", "retype"): "volume.retype",
    ("volume", "migrate"): "volume.migrate", ("volume", "migrate_locked"): "volume.migrate",
    ("volume", "manage"): "volume.manage_existing", ("volume", "unmanage"): "volume.unmanage",
    ("snapshot", "create"): "snapshot.create", ("snapshot", "delete"): "snapshot.delete",
    ("snapshot", "force_delete"): "snapshot.delete", ("snapshot", "manage"): "snapshot.manage_existing_snapshot",
    ("snapshot", "unmanage"): "snapshot.unmanage",
    ("backup", "create"): "backup.create", ("backup", "delete"): "backup.delete", ("backup", "force_delete"): "backup.delete",
    ("backup", "restore"): "backup.restore", ("backup", "import"): "backup.import_record",
    ("group", "create_from"): "group.create", ("group", "delete"): "group.delete",
}
#: Seconds between looks for what was not sent; what another process has not sent after LATE seconds is sent by whoever finds it.
INTERVAL, LATE = 5, 60


def payload(kind, row, volume=None):
    """What is told of a row, under the names that Cinder's consumers read; `volume` is a snapshot's."""
    told = {"tenant_id": row.project_id, "user_id": row.user_id, f"{kind}_id": row.id, "display_name": row.name,
            "created_at": row.created_at.isoformat(), "status": row.status}
    if kind == "volume":
        return told | {
            "host": row.host, "availability_zone": row.availability_zone, "volume_type": row.volume_type_id,
            "launched_at": (row.launched_at or row.created_at).isoformat(), "snapshot_id": row.snapshot_id, "size": row.size,
            "replication_status": row.replication_status, "replication_extended_status": None, "replication_driver_data": None,
            "metadata": [{"key": key, "value": value} for key, value in row.metadata.items()], "volume_attachment": [],
            **({"glance_metadata": row.image_metadata} if row.image_metadata else {})}
    if kind == "snapshot":
        return told | {"availability_zone": volume and volume.availability_zone, "volume_id": row.volume_id,
                       "volume_size": row.size, "deleted": "", "metadata": str(row.metadata)}
    if kind == "backup":
        return told | {
            "availability_zone": row.availability_zone, "host": row.host, "volume_id": row.volume_id, "size": row.size,
            "service_metadata": None, "service": row.service, "fail_reason": row.fail_reason, "parent_id": row.parent_id,
            "num_dependent_backups": int(row.has_dependent_backups), "snapshot_id": row.snapshot_id}
    return told | {"availability_zone": row.availability_zone, "group_type": row.group_type_id, "name": row.name}


class Events:
    """Records what is to be told, and sends it over `bus` (see rpc.Bus).

    `owner` names the service on its host, so that its next process sends at once what one that died has left.
    """

    def __init__(self, database, bus, owner):
        self.db, self.bus, self.owner = database, bus, owner
        self._sender = concurrency.Periodic(INTERVAL, self.send, self._not_sent)
        self._sender.start(now=True)

    def begun(self, job, stage, host):
        """Tell that work on the job begins; not again when it goes on at another service."""
        if job.kind == "volume" and stage == "backup":
            return
        with self.db.write() as tx:
            self._record(tx, job, host, "start", self.subject(tx, job))
        self._sender.kick()

    def subject(self, tx, job):
        """(the row that a job is about, its volume), to be told of when it is gone; None where nobody is told."""
        if (job.kind, job.action) not in EVENTS:
            return None
        row = notices.subject(tx, job.kind, job.resource_id)
        if row is None:
            return None
        return row, notices.subject(tx, "volume", row.volume_id) if job.kind == "snapshot" else None

    def ended(self, tx, job, host, before):
        """Record within the transaction of the end that the work is done; `before` is what `subject` was. `sent_soon` follows."""
        self._record(tx, job, host, "end", self.subject(tx, job) or before)

    def _record(self, tx, job, host, moment, subject):
        if subject is not None:
            notices.add(tx, self.owner, f"{EVENTS[job.kind, job.action]}.{moment}", f"{job.kind}.{host}", {
                "payload": payload(job.kind, *subject), "request_id": job.request_id, "user_id": job.user_id,
                "project_id": job.project_id})

    def sent_soon(self):
        self._sender.kick()

    def send(self):
        """Send what is to be sent, in order."""
        while True:
            with self.db.read() as tx:
                found = notices.unsent(tx, self.owner, LATE)
            for notice in found:
                told = notice.payload
                self.bus.tell(notice.id, notice.created_at, notice.publisher_id, notice.event_type, told["payload"], {
                    name: told[name] for name in ("request_id", "user_id", "project_id")})
                with self.db.write() as tx:
                    notices.sent(tx, notice.id)
            if not found:
                return

    @staticmethod
    def _not_sent(error):
        LOG.warning("notifications could not be sent, will be tried again: %s", error)

    def stop(self):
        """Send what is left, unless the bus or the database is away; the next process sends it then."""
        self._sender.stop()
        try:
            self.send()
        except (*db.ERRORS, self.bus.FAILURES) as error:
            self._not_sent(error)
