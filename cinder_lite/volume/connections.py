"""Records connections in the database before a target is called, and checks them afterwards.

A connection has a row from the intent to establish it until it was removed. Every change of its intended state raises
its generation, so that a caller of a target detects changes made meanwhile. Every function is called in a transaction
that has locked the volume.
"""

from collections.abc import Iterable, Mapping, Sequence

from cinder_lite import db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import attachments, connections
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.targets import base as targets

READ_ONLY, READ_WRITE = "ro", "rw"
#: Characters kept of a connector's names.
LONGEST = 255


def is_read_only(volume: db.Row) -> bool:
    """Whether the volume is set to be read only."""
    return volume.admin_metadata.get("readonly") == "True"


def access_mode(volume: db.Row, *wanted: str | None) -> str:
    """The access mode: the first one requested, but read-only if the volume is."""
    if is_read_only(volume):
        return READ_ONLY
    return next((mode for mode in wanted if mode), READ_WRITE)


def check_connectable(volume: db.Row) -> None:
    """Raise InvalidState unless a host may be connected to the volume now."""
    if volume.host is None:
        raise errors.InvalidState(kind="volume", reason="it has not been placed on a backend")
    moving = volume.attach_status == states.DETACHED and volume.migration_status in (
        states.STARTING, states.MIGRATING, states.COMPLETING)
    if volume.status in states.UNCONNECTABLE or moving:
        why = "being migrated" if moving else volume.status
        raise errors.InvalidState(kind="volume", reason=f"no host can be connected to it while it is {why}")


def begin(tx: db.Transaction, volume: db.Row, connector: Mapping, mode: str, attachment_id: str | None = None,
          initialized: bool = False) -> db.Row:
    """Record that a host is to be connected; renew a connection that the host already has. Returns the row.

    Raises ConnectionEnded if the connection that would be renewed is changed by somebody who did not lock the volume.
    """
    import_legacy_export(tx, volume)
    host, initiator = (_text(connector.get(key)) for key in ("host", "initiator"))
    for row in connections.of_volume(tx, volume.id):
        if row.state == states.ENDING or not _is_same(row, attachment_id, initialized, host, initiator):
            continue
        if (row.host, row.initiator) == (host, initiator):
            return _renewed(tx, row, mode == READ_ONLY)
        # The attachment goes to another host.
        connections.end_one(tx, row)
    return _insert(tx, volume, connector, mode, attachment_id, initialized)


def begin_first(tx: db.Transaction, volume: db.Row, connector: Mapping, mode: str, attachment_id: str) -> db.Row:
    """Record that the host of an attachment that this transaction inserted is to be connected. Returns the row."""
    import_legacy_export(tx, volume)
    return _insert(tx, volume, connector, mode, attachment_id, False)


def _insert(tx, volume, connector, mode, attachment_id, initialized):
    return connections.insert(
        tx, id=randomness.new_id(), volume_id=volume.id, attachment_id=attachment_id, host=_text(connector.get("host")),
        initiator=_text(connector.get("initiator")), backend=service_of(volume.host), initialized=initialized,
        read_only=mode == READ_ONLY, state=states.CONNECTING)


def _is_same(row, attachment_id, initialized, host, initiator):
    if initialized:
        return row.initialized and (row.host, row.initiator) == (host, initiator)
    return row.attachment_id == attachment_id is not None


def _renewed(tx, row, read_only):
    if row.read_only != read_only:
        return connections.written(tx, row, read_only=read_only, generation=row.generation + 1,
                                   state=states.CONNECTING, joined=False)
    if row.state == states.CONNECTING:
        # Another request is establishing it, or was interrupted: neither may end it when it fails.
        return connections.written(tx, row, joined=True)
    return row


def _text(value):
    return value[:LONGEST] if isinstance(value, str) and value else None


def current(rows: Iterable[db.Row], volume: db.Row, id: str, generation: int | None, backend: str) -> db.Row:
    """The connection among those of the volume if it is still to be established there. Raises ConnectionEnded."""
    row = next((one for one in rows if one.id == id), None)
    if row is None or row.generation != generation or row.state == states.ENDING or row.backend != backend or (
            volume.status == states.DELETING):
        raise errors.ConnectionEnded(id=volume.id)
    return row


def assign_export(tx: db.Transaction, rows: Iterable[db.Row], row: db.Row, volume_name: str,
                  target: targets.Target) -> db.Row:
    """Assign the connection, one of the volume's `rows`, its export and its secret, for good. Returns the row."""
    if row.export_name is not None:
        return row
    others = [one for one in rows if one.export_name and one.id != row.id]
    present = [one for one in others if one.state != states.ENDING]
    like = next((one for one in present if target.sharing == targets.TOGETHER or row.initiator and
                 (one.initiator, one.host, one.read_only) == (row.initiator, row.host, row.read_only)), None)
    # Within one export, hosts are distinguished by the initiator's name alone.
    if like is None and target.sharing == targets.BY_INITIATOR:
        like = next((one for one in present if one.initiator == row.initiator), None)
    if like is not None:
        name, auth = like.export_name, like.auth
    else:
        taken = target.sharing == targets.SEPARATE and volume_name in {one.export_name for one in others}
        name = f"{volume_name}{targets.SUFFIX_SEPARATOR}{row.id[:8]}" if taken else volume_name
        auth = target.new_auth()
    return connections.written(tx, row, export_name=name, auth=auth)


def export_of(rows: Sequence[db.Row], target: targets.Target) -> tuple[targets.Export, bool]:
    """(Export, whether it is read-only) for the connections of one export."""
    location = next((one.location for one in rows if one.location), None)
    accesses: dict[str, targets.Access] = {}
    for one in rows:
        known = accesses.get(one.initiator)
        if one.initiator:
            read_only = one.read_only and (known is None or known.read_only)
            accesses[one.initiator] = targets.Access(one.initiator, one.auth, read_only)
    by_initiator = target.sharing == targets.BY_INITIATOR
    return (targets.Export(location, rows[-1].auth, tuple(accesses.values()) if by_initiator else None),
            all(one.read_only for one in rows))


def active(rows: Iterable[db.Row], export_name: str | None = None) -> list[db.Row]:
    """The connections that are not ending, of one export or of all."""
    return [one for one in rows if one.state != states.ENDING and export_name in (None, one.export_name)]


def end_matching(tx: db.Transaction, volume: db.Row, connector: Mapping) -> int:
    """End initialized connections without attachment of the connector's host; of all hosts if it names none."""
    import_legacy_export(tx, volume)
    host, initiator = (_text(connector.get(key)) for key in ("host", "initiator"))
    ended = 0
    for row in connections.of_volume(tx, volume.id):
        unknown = row.host is None and row.initiator is None or host is None and initiator is None
        same = row.initiator == initiator if row.initiator and initiator else row.host == host
        if row.initialized and (unknown or same):
            ended += connections.end_one(tx, row)
    return ended


def end_all(tx: db.Transaction, volume: db.Row, except_attachment: str | None = None) -> bool:
    """End all connections of the volume. Returns whether any has to be removed."""
    import_legacy_export(tx, volume)
    connections.end_of_volume(tx, volume.id, except_attachment=except_attachment)
    return any(row.state == states.ENDING for row in connections.of_volume(tx, volume.id))


def attach_initialized(tx: db.Transaction, volume: db.Row, attachment_id: str, host: str | None) -> None:
    """Assign the connection that was initialized before os-attach to the attachment recorded by it."""
    import_legacy_export(tx, volume)
    free = [row for row in connections.of_volume(tx, volume.id)
            if row.initialized and row.attachment_id is None and row.state != states.ENDING]
    chosen = [row for row in free if host and row.host == host] or free
    if chosen:
        connections.write(tx, chosen[-1], attachment_id=attachment_id)


def set_read_only(tx: db.Transaction, volume: db.Row, read_only: bool) -> bool:
    """Apply the volume's read-only flag to its connections. Returns whether an export has to be changed."""
    import_legacy_export(tx, volume)
    changed = False
    for row in connections.of_volume(tx, volume.id):
        if row.state != states.ENDING and row.read_only != read_only:
            connections.write(tx, row, read_only=read_only, state=states.RENEWING, generation=row.generation + 1)
            changed = True
    return changed


def import_legacy_export(tx: db.Transaction, volume: db.Row) -> None:
    """Create connections for the export that an earlier release, or Cinder, recorded with the volume itself."""
    if not volume.export or connections.of_volume(tx, volume.id):
        return
    export, known = volume.export, set()
    common = {"volume_id": volume.id, "backend": service_of(volume.host), "location": export.get("location"),
              "auth": export.get("auth"), "export_name": f"volume-{volume.name_id or volume.id}",
              "state": states.CONNECTED, "read_only": is_read_only(volume)}
    for one in attachments.of_volume(tx, volume.id):
        if one.attach_status != states.RESERVED:
            initiator = _text(one.connector.get("initiator"))
            known.add(initiator)
            connections.insert(tx, id=randomness.new_id(), attachment_id=one.id, initiator=initiator,
                               host=_text(one.connector.get("host") or one.attached_host),
                               initialized=not one.connector, **common)
    rest = [name for name in (export.get("initiators") or "").split() if name not in known]
    for initiator in rest or ([] if known else [None]):
        connections.insert(tx, id=randomness.new_id(), initiator=initiator, initialized=True, **common)


def save_export(tx: db.Transaction, volume: db.Row, volume_name: str, target: targets.Target) -> None:
    """Record the export with the volume itself, where the previous release reads it."""
    rows = [row for row in active(connections.of_volume(tx, volume.id), volume_name) if row.location]
    names = sorted({row.initiator for row in rows if row.initiator})
    kept = {"location": rows[-1].location, "auth": rows[-1].auth,
            "initiators": " ".join(names) if target.sharing == targets.BY_INITIATOR else None} if rows else {}
    if kept != volume.export:
        VOLUME.write(tx, volume.id, export=kept)
