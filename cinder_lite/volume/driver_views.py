"""Converts rows of volumes and snapshots into the values that drivers get."""

import typing

from cinder_lite.volume.drivers.base import Snapshot, Volume


def as_volume(row: typing.Any) -> Volume:
    """The Volume of a volume's row."""
    return Volume(id=row.id, size=row.size, facts=row.facts, extra_specs=row.type_extra_specs or {},
                  name_id=row.name_id, qos=backend_qos(row.type_qos_consumer, row.type_qos_specs))


def as_snapshot(row: typing.Any, volume: typing.Any) -> Snapshot:
    """The Snapshot of a snapshot's row and its volume's row."""
    return Snapshot(id=row.id, size=row.size, volume=as_volume(volume), facts=row.facts)


def backend_qos(consumer: str | None, specs: dict | None) -> dict:
    """The limits of a QoS spec that the backend has to apply, {Cinder's key: text}."""
    return specs or {} if consumer in ("back-end", "both") else {}
