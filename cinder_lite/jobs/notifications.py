"""Records Cinder's notifications of resources, when an action on them starts and when it ends, and sends them.

The end of an action and its notification are recorded in one transaction. A notification stays in the database until
the broker has it: it is sent once or, after a crash, twice with the same message_id. An action that fails has no end
notification.
"""

import dataclasses
import datetime
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from cinder_lite import db, states
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import notifications
from cinder_lite.jobs import holds
from cinder_lite.states import lookup

LOG = logging.getLogger(__name__)

UPDATED = "group.update"
#: Seconds between two attempts to send; what another process has not sent after LATE seconds is sent by any other.
INTERVAL, LATE = 5, 60


class Bus(Protocol):
    """Sends notifications (rpc.notification_bus.Bus)."""

    FAILURES: Any

    def publish(self, id: str, time: datetime.datetime, publisher: str, event_type: str, payload: Mapping[str, Any],
                requester: Mapping[str, Any], /) -> None:
        """Send one. Raises FAILURES while the broker is unavailable."""


def payload(kind: str, row: Any, volume: Any = None) -> dict[str, Any]:
    """The payload about a row, with the keys that consumers of Cinder's notifications read; `volume` is a
    snapshot's."""
    common = {"tenant_id": row.project_id, "user_id": row.user_id, f"{kind}_id": row.id, "display_name": row.name,
              "created_at": row.created_at.isoformat(), "status": row.status}
    if kind == "volume":
        return common | {
            "host": row.host, "availability_zone": row.availability_zone, "volume_type": row.volume_type_id,
            "launched_at": (row.launched_at or row.created_at).isoformat(), "snapshot_id": row.snapshot_id,
            "size": row.size, "replication_status": row.replication_status, "replication_extended_status": None,
            "replication_driver_data": None, "volume_attachment": [],
            "metadata": [{"key": key, "value": value} for key, value in row.metadata.items()],
            **({"glance_metadata": row.image_metadata} if row.image_metadata else {})}
    if kind == "snapshot":
        return common | {"availability_zone": volume and volume.availability_zone, "volume_id": row.volume_id,
                         "volume_size": row.size, "deleted": "", "metadata": str(row.metadata)}
    if kind == "backup":
        return common | {
            "availability_zone": row.availability_zone, "host": row.host, "volume_id": row.volume_id, "size": row.size,
            "service_metadata": None, "service": row.service, "fail_reason": row.fail_reason,
            "parent_id": row.parent_id,
            "num_dependent_backups": int(row.has_dependent_backups), "snapshot_id": row.snapshot_id}
    more = {"group_id": row.group_id} if kind == "group_snapshot" else {"availability_zone": row.availability_zone}
    return common | {"group_type": row.group_type_id, "name": row.name, **more}


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a notification is about: the event type without its moment, the kind, the row, and the volume of a
    snapshot."""

    event: str
    kind: str
    row: Any
    volume: Any = None


def not_sent() -> None:
    """In place of the function that Events.record_start returns, where no notifications are sent."""


class Events:
    """Records notifications, and sends them over a bus.

    `owner` names the service on its host, so that its next process at once sends what one that was killed has recorded.
    """

    def __init__(self, database: db.Database, bus: Bus, owner: str) -> None:
        self.db, self.bus, self.owner = database, bus, owner
        self._sender = Periodic(INTERVAL, self.send, self._failed)
        self._sender.start(now=True)

    @db.retried
    def begun(self, job: db.Row, stage: str, host: str) -> None:
        """Record the start of a job; when it was passed on to another service, of what starts only there."""
        with self.db.write() as tx:
            found = self.subjects(tx, job)
            if job.kind == "volume":
                found = [one for one in found if (one.kind == "backup") == (stage == states.BACKUP)]
            self.record(tx, job, host, "start", found)
        self._sender.kick()

    def subjects(self, tx: db.Transaction, job: db.Row) -> list[Subject]:
        """The job's resource, its source and its members, read before they may be deleted."""
        row = lookup.find(job.kind, job.action)
        if row is None or row.event is None:
            return []
        found = [self.subject(tx, job.kind, job.resource_id, row.event)]
        for hold in lookup.members_of(row):
            further = states.ACTIONS[hold.kind][hold.action]
            if further.event is not None:
                found += [self.subject(tx, hold.kind, id, further.event)
                          for id in holds.held_ids(tx, hold, job, further.doing)]
        return [one for one in found if one is not None]

    @staticmethod
    def subject(tx: db.Transaction, kind: str, id: str, event: str) -> Subject | None:
        """The Subject, None when there is no such row."""
        row = notifications.subject(tx, kind, id)
        if row is None:
            return None
        return Subject(event, kind, row, notifications.subject(tx, "volume", row.volume_id) if kind == "snapshot"
                       else None)

    def ended(self, tx: db.Transaction, job: db.Row, host: str, before: Iterable[Subject]) -> None:
        """Record the end, in its transaction; `before` is what `subjects` returned. `send_soon` follows the commit."""
        self.record(tx, job, host, "end", [self.subject(tx, one.kind, one.row.id, one.event) or one for one in before])

    def record(self, tx: db.Transaction, requester: Any, host: str, moment: str, subjects: Iterable[Subject]) -> None:
        """Record the notifications of one moment, "start" or "end"; `requester` is a job or a context."""
        for one in subjects:
            notifications.add(tx, self.owner, f"{one.event}.{moment}", f"{one.kind}.{host}", {
                "payload": payload(one.kind, one.row, one.volume), "request_id": requester.request_id,
                "user_id": requester.user_id, "project_id": requester.project_id})

    def record_start(self, tx: db.Transaction, ctx: Any, kind: str, id: str, event: str,
                     host: str | None = None) -> Callable[[], None]:
        """Record the start of what one transaction does; returns a function that records its end in the same one."""
        found = [one for one in (self.subject(tx, kind, id, event),) if one is not None]
        publisher = host or self.owner.partition("/")[0]
        self.record(tx, ctx, publisher, "start", found)

        def end() -> None:
            self.record(tx, ctx, publisher, "end", [self.subject(tx, kind, one.row.id, event) or one for one in found])
            self._sender.kick()

        return end

    def send_soon(self) -> None:
        """Send without waiting for the next interval."""
        self._sender.kick()

    def send(self) -> None:
        """Send what is recorded, in order."""
        while True:
            with self.db.read() as tx:
                found = notifications.unsent(tx, self.owner, LATE)
            for one in found:
                self.bus.publish(one.id, one.created_at, one.publisher_id, one.event_type, one.payload["payload"], {
                    name: one.payload[name] for name in ("request_id", "user_id", "project_id")})
                with self.db.write() as tx:
                    notifications.delete(tx, one.id)
            if not found:
                return

    @staticmethod
    def _failed(error):
        LOG.warning("notifications could not be sent, retrying: %s", error)

    def stop(self) -> None:
        """Send what is left; while the bus or the database is unavailable, the next process sends it."""
        self._sender.stop()
        try:
            self.send()
        except (*db.ERRORS, self.bus.FAILURES) as error:
            self._failed(error)
