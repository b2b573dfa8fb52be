"""Holds the rows that were read from a Cinder database, and maps its host names."""

import functools
import json
from collections.abc import Mapping
from typing import Any

#: A row of Cinder's database: {column: value}.
Row = dict[str, Any]

#: Tables that are read.
TABLES = (
    "volumes", "volume_metadata", "volume_admin_metadata", "volume_glance_metadata", "volume_attachment", "snapshots",
    "snapshot_metadata", "backups", "backup_metadata", "volume_types", "volume_type_extra_specs",
    "volume_type_projects", "encryption", "quality_of_service_specs", "default_volume_types", "quotas",
    "quota_classes", "groups", "group_volume_type_mapping", "group_snapshots", "group_types", "group_type_specs",
    "group_type_projects", "transfers", "messages", "services", "clusters", "consistencygroups")
#: The keys of the rows that hold the name of a QoS spec, and its consumer.
QOS_NAME, QOS_CONSUMER = "QoS_Specs_Name", "consumer"


class Records:
    """`rows` is {table: [row]} of TABLES; `hosts` maps host strings."""

    def __init__(self, rows: Mapping[str, list[Row]], hosts: "HostMap"):
        self.rows, self.hosts = rows, hosts

    def pairs(self, table: str, owner: str, id: str) -> dict[str, str]:
        """{key: value} of the rows of a table that belong to one resource; `owner` is the column of its id."""
        return self._pairs_by_owner(table, owner).get(id, {})

    @functools.cache  # noqa: B019 - the object lives as long as the command
    def _pairs_by_owner(self, table, owner):
        found = {}
        for row in self.rows[table]:
            if row[owner] is not None:
                found.setdefault(row[owner], {})[row["key"]] = "" if row["value"] is None else row["value"]
        return found

    @functools.cache  # noqa: B019
    def by(self, table: str, column: str = "id") -> dict[Any, Row]:
        """{value of a column: row}."""
        return {row[column]: row for row in self.rows[table]}

    @functools.cache  # noqa: B019
    def lists(self, table: str, column: str) -> dict[Any, list[Row]]:
        """{value of a column: [rows]}."""
        found: dict[Any, list[Row]] = {}
        for row in self.rows[table]:
            found.setdefault(row[column], []).append(row)
        return found

    @property
    def qos_specs(self) -> list[Row]:
        """The rows of QoS specs: those without an owner; the rows of their pairs have their id as owner."""
        return [row for row in self.rows["quality_of_service_specs"]
                if row["specs_id"] is None and row["key"] == QOS_NAME]


def document(text: Any) -> dict[str, Any]:
    """A JSON object from its text; {} for none."""
    found = text if isinstance(text, dict) else json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


class HostMap:
    """Maps host strings of Cinder to those of cinder-lite.

    Cinder names the only pool of an LVM or RBD backend after its volume_backend_name, cinder-lite after its section.
    `mapping` ({old: new}) renames hosts, backends (host@section) or pools; the longest match applies, and a pool that
    it names keeps that name. `used` are the names that matched.
    """

    def __init__(self, mapping: Mapping[str, str]):
        self.mapping = mapping
        self.used: set[str] = set()

    def __call__(self, host: str | None) -> str | None:
        if not host:
            return None
        for old in sorted(self.mapping, key=len, reverse=True):
            if host == old or (host.startswith(old) and host[len(old)] in "@#"):
                self.used.add(old)
                return self._pool(self.mapping[old] + host[len(old):], "#" in self.mapping[old])
        return self._pool(host, False)

    @staticmethod
    def _pool(host, named):
        service, hash, _ = host.partition("#")
        _, at, section = service.partition("@")
        return f"{service}#{section}" if hash and at and not named else host
