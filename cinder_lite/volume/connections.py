"""What may happen to a connection, decided from the database: recorded before a target is called, and checked after it.

A connection is a row from the intent to make it until it was undone. Whoever changes what it is to be raises its generation,
so that who has called a target meanwhile finds out. Every function is called in a transaction that has locked the volume.
"""

import uuid

from cinder_lite import errors, states
from cinder_lite.db import attachments, connections
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.targets import base as targets

READ_ONLY, READ_WRITE = "ro", "rw"
#: Characters of names that are kept of a connector.
LONGEST = 255


def is_read_only(volume):
    """Whether the volume is set to be read only."""
    return volume.admin_metadata.get("readonly") == "True"


def mode_of(volume, *wanted):
    """The mode of access: the first that is wanted, but never more than the volume allows."""
    if is_read_only(volume):
        return READ_ONLY
    return next((mode for mode in wanted if mode), READ_WRITE)


def check_connectable(volume):
    """Raise InvalidState unless the volume holds data that a host may have now."""
    if volume.host is None:
        raise errors.InvalidState(kind="volume", reason="it has not been placed on a backend")
    moving = volume.attach_status == states.DETACHED and volume.migration_status in (
        states.STARTING, states.MIGRATING, states.COMPLETING)
    if volume.status in states.UNCONNECTABLE or moving:
        why = "being migrated" if moving else volume.status
        raise errors.InvalidState(kind="volume", reason=f"no host can be connected to it while it is {why}")


def begin(tx, volume, connector, mode, attachment_id=None, initialized=False):
    """Record that a host is to be connected; a connection that the host has already is renewed. Returns the row."""
    take_over(tx, volume)
    host, initiator = (_text(connector.get(key)) for key in ("host", "initiator"))
    for row in connections.of_volume(tx, volume.id):
        if row.state == states.ENDING or not _is_same(row, attachment_id, initialized, host, initiator):
            continue
        if (row.host, row.initiator) == (host, initiator):
            return _renewed(tx, row, mode == READ_ONLY)
        # The attachment goes to another host.
        connections.end_one(tx, row)
    row = {"id": str(uuid.uuid4()), "volume_id": volume.id, "attachment_id": attachment_id, "host": host,
           "initiator": initiator, "backend": service_of(volume.host), "initialized": initialized,
           "read_only": mode == READ_ONLY, "state": states.CONNECTING}
    connections.insert(tx, **row)
    return connections.find(tx, row["id"])


def _is_same(row, attachment_id, initialized, host, initiator):
    if initialized:
        return row.initialized and (row.host, row.initiator) == (host, initiator)
    return row.attachment_id == attachment_id is not None


def _renewed(tx, row, read_only):
    if row.read_only != read_only:
        connections.write(tx, row, read_only=read_only, generation=row.generation + 1, state=states.CONNECTING, joined=False)
    elif row.state == states.CONNECTING:
        # Another request makes it at this moment, or was cut off: neither ends it when it gives up.
        connections.write(tx, row, joined=True)
    return connections.find(tx, row.id)


def _text(value):
    return value[:LONGEST] if isinstance(value, str) and value else None


def admit(tx, volume, id, generation, backend):
    """The connection, as it was recorded, if it is still to be made on that backend. Raises ConnectionEnded."""
    row = connections.find(tx, id)
    if row is None or row.generation != generation or row.state == states.ENDING or row.backend != backend or (
            volume.status == states.DELETING):
        raise errors.ConnectionEnded(id=volume.id)
    return row


def place(tx, row, volume_name, target):
    """Give the connection its export and its secret, which it keeps. Returns the row."""
    if row.export_name is not None:
        return row
    others = [one for one in connections.of_volume(tx, row.volume_id) if one.export_name and one.id != row.id]
    living = [one for one in others if one.state != states.ENDING]
    like = next((one for one in living if target.sharing == targets.TOGETHER or row.initiator and
                 (one.initiator, one.host, one.read_only) == (row.initiator, row.host, row.read_only)), None)
    # Within one export the initiator's name is all that tells hosts apart.
    if like is None and target.sharing == targets.BY_INITIATOR:
        like = next((one for one in living if one.initiator == row.initiator), None)
    if like is not None:
        name, auth = like.export_name, like.auth
    else:
        taken = target.sharing == targets.SEPARATE and volume_name in {one.export_name for one in others}
        name = f"{volume_name}{targets.FURTHER}{row.id[:8]}" if taken else volume_name
        auth = target.new_auth()
    connections.write(tx, row, export_name=name, auth=auth)
    return connections.find(tx, row.id)


def export_of(rows, target):
    """(the Export, whether it is read only) that the connections of one export make together."""
    location, accesses = next((one.location for one in rows if one.location), None), {}
    for one in rows:
        known = accesses.get(one.initiator)
        if one.initiator:
            read_only = one.read_only and (known is None or known.read_only)
            accesses[one.initiator] = targets.Access(one.initiator, one.auth, read_only)
    by_initiator = target.sharing == targets.BY_INITIATOR
    return (targets.Export(location, rows[-1].auth, tuple(accesses.values()) if by_initiator else None),
            all(one.read_only for one in rows))


def living(rows, export_name=None):
    """Those that are not to be undone, of one export or of all."""
    return [one for one in rows if one.state != states.ENDING and export_name in (None, one.export_name)]


def end_matching(tx, volume, connector):
    """End what was only initialized, for the connector's host; for every host when it names none."""
    take_over(tx, volume)
    host, initiator = (_text(connector.get(key)) for key in ("host", "initiator"))
    ended = 0
    for row in connections.of_volume(tx, volume.id):
        unknown = row.host is None and row.initiator is None or host is None and initiator is None
        same = row.initiator == initiator if row.initiator and initiator else row.host == host
        if row.initialized and (unknown or same):
            ended += connections.end_one(tx, row)
    return ended


def end_all(tx, volume, but_attachment=None):
    """End every right to the volume's data. Returns whether there is anything to undo."""
    take_over(tx, volume)
    connections.end_of_volume(tx, volume.id, but_attachment=but_attachment)
    return any(row.state == states.ENDING for row in connections.of_volume(tx, volume.id))


def adopt_initialized(tx, volume, attachment_id, host):
    """An attachment that is recorded the old way takes over the connection that was initialized for it."""
    take_over(tx, volume)
    free = [row for row in connections.of_volume(tx, volume.id)
            if row.initialized and row.attachment_id is None and row.state != states.ENDING]
    chosen = [row for row in free if host and row.host == host] or free
    if chosen:
        connections.write(tx, chosen[-1], attachment_id=attachment_id)


def forget(tx, volume_id):
    """The volume goes, and all that is recorded of its connections with it."""
    connections.delete_all(tx, volume_id)


def set_read_only(tx, volume, read_only):
    """What was only initialized follows the volume's flag. Returns whether an export is to be changed."""
    take_over(tx, volume)
    changed = False
    for row in connections.of_volume(tx, volume.id):
        if row.state != states.ENDING and row.read_only != read_only:
            connections.write(tx, row, read_only=read_only, state=states.RENEWING, generation=row.generation + 1)
            changed = True
    return changed


def take_over(tx, volume):
    """Make connections of the export that a release before, or Cinder, has recorded with the volume itself."""
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
            connections.insert(tx, id=str(uuid.uuid4()), attachment_id=one.id, initiator=initiator,
                               host=_text(one.connector.get("host") or one.attached_host),
                               initialized=not one.connector, **common)
    rest = [name for name in (export.get("initiators") or "").split() if name not in known]
    for initiator in rest or ([] if known else [None]):
        connections.insert(tx, id=str(uuid.uuid4()), initiator=initiator, initialized=True, **common)


def remember(tx, volume, volume_name, target):
    """Keep with the volume itself what a release before looks for there: its own export."""
    rows = [row for row in living(connections.of_volume(tx, volume.id), volume_name) if row.location]
    names = sorted({row.initiator for row in rows if row.initiator})
    kept = {"location": rows[-1].location, "auth": rows[-1].auth,
            "initiators": " ".join(names) if target.sharing == targets.BY_INITIATOR else None} if rows else {}
    if kept != volume.export:
        VOLUME.write(tx, volume.id, export=kept)
