"""What consumers of Cinder's notifications are told on the bus: when work on a resource begins, and when it is done.

The end of work and the notice of it are one transaction, and the notice stays in the database until the broker has it: it is
sent once or, after a crash, twice with the same message_id. Nothing is told of what failed: its end never comes.
"""

import dataclasses
import logging

from cinder_lite import concurrency, db, states
from cinder_lite.db import notifications
from cinder_lite.jobs import holds

LOG = logging.getLogger(__name__)

UPDATED = "group.update"
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
    more = {"group_id": row.group_id} if kind == "group_snapshot" else {"availability_zone": row.availability_zone}
    return told | {"group_type": row.group_type_id, "name": row.name, **more}


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a notice is about: the event without its moment, the kind, the row, and the volume of a snapshot."""

    event: str
    kind: str
    row: object
    volume: object = None


def untold():
    """Stands for done() of Events.whole where nobody is told."""


class Events:
    """Records what is to be told, and sends it over `bus` (see rpc.Bus).

    `owner` names the service on its host, so that its next process sends at once what one that died has left.
    """

    def __init__(self, database, bus, owner):
        self.db, self.bus, self.owner = database, bus, owner
        self._sender = concurrency.Periodic(INTERVAL, self.send, self._not_sent)
        self._sender.start(now=True)

    def begun(self, job, stage, host):
        """Tell that work on the job begins; when it goes on at another service, of what only begins there."""
        with self.db.write() as tx:
            found = self.subjects(tx, job)
            if job.kind == "volume":
                found = [one for one in found if (one.kind == "backup") == (stage == "backup")]
            self.record(tx, job, host, "start", found)
        self._sender.kick()

    def subjects(self, tx, job):
        """What the job is done to, to be told of when it is gone: the resource, and what goes along with it."""
        row = states.find(job.kind, job.action)
        if row is None or row.event is None:
            return []
        found = [self.subject(tx, job.kind, job.resource_id, row.event)]
        for hold in states.members_of(row):
            further = states.ACTIONS[hold.kind][hold.action]
            if further.event is not None:
                found += [self.subject(tx, hold.kind, id, further.event)
                          for id in holds.held_ids(tx, hold, job, further.doing)]
        return [one for one in found if one is not None]

    @staticmethod
    def subject(tx, kind, id, event):
        """The Subject, None when there is no such row."""
        row = notifications.subject(tx, kind, id)
        if row is None:
            return None
        return Subject(event, kind, row, notifications.subject(tx, "volume", row.volume_id) if kind == "snapshot" else None)

    def ended(self, tx, job, host, before):
        """Record within the transaction of the end that the work is done; `before` is what `subjects` was. `sent_soon` follows."""
        self.record(tx, job, host, "end", [self.subject(tx, one.kind, one.row.id, one.event) or one for one in before])

    def record(self, tx, asked, host, moment, subjects):
        """Record that it begins or has ended; `asked` names who asked for it, a job or a context."""
        for one in subjects:
            notifications.add(tx, self.owner, f"{one.event}.{moment}", f"{one.kind}.{host}", {
                "payload": payload(one.kind, one.row, one.volume), "request_id": asked.request_id, "user_id": asked.user_id,
                "project_id": asked.project_id})

    def whole(self, tx, ctx, kind, id, event, host=None):
        """Tell that something begins; returns done(), which tells within the same transaction that it has ended."""
        found = [one for one in (self.subject(tx, kind, id, event),) if one is not None]
        host = host or self.owner.partition("/")[0]
        self.record(tx, ctx, host, "start", found)

        def done():
            self.record(tx, ctx, host, "end", [self.subject(tx, kind, one.row.id, event) or one for one in found])
            self._sender.kick()

        return done

    def sent_soon(self):
        self._sender.kick()

    def send(self):
        """Send what is to be sent, in order."""
        while True:
            with self.db.read() as tx:
                found = notifications.unsent(tx, self.owner, LATE)
            for notice in found:
                told = notice.payload
                self.bus.tell(notice.id, notice.created_at, notice.publisher_id, notice.event_type, told["payload"], {
                    name: told[name] for name in ("request_id", "user_id", "project_id")})
                with self.db.write() as tx:
                    notifications.delete(tx, notice.id)
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
