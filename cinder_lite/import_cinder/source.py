"""What was found in a Cinder's database: its rows, and the many small tables that belong to one resource each, gathered."""

import functools
import json

#: Tables that are read.
TABLES = (
    "volumes", "volume_metadata", "volume_admin_metadata", "volume_glance_metadata", "volume_attachment", "snapshots",
    "snapshot_metadata", "backups", "backup_metadata", "volume_types", "volume_type_extra_specs", "volume_type_projects",
    "encryption", "quality_of_service_specs", "default_volume_types", "quotas", "quota_classes", "groups",
    "group_volume_type_mapping", "group_snapshots", "group_types", "group_type_specs", "group_type_projects", "transfers",
    "messages", "services", "clusters", "consistencygroups")
#: The key of the row that gives a QoS spec its name, and of the one that says who keeps to it.
QOS_NAME, QOS_CONSUMER = "QoS_Specs_Name", "consumer"


class Found:
    """`rows` is {table: [row]} of TABLES; `places` translates host strings."""

    def __init__(self, rows, places):
        self.rows, self.places = rows, places

    def pairs(self, table, owner, id):
        """{key: value} of the rows of a table that belong to one resource, by its column `owner`."""
        return self._gathered(table, owner).get(id, {})

    @functools.cache  # noqa: B019 - it lives as long as the command
    def _gathered(self, table, owner):
        found = {}
        for row in self.rows[table]:
            if row[owner] is not None:
                found.setdefault(row[owner], {})[row["key"]] = "" if row["value"] is None else row["value"]
        return found

    @functools.cache  # noqa: B019
    def by(self, table, column="id"):
        """{value of a column: row}."""
        return {row[column]: row for row in self.rows[table]}

    @functools.cache  # noqa: B019
    def lists(self, table, column):
        """{value of a column: [rows]}."""
        found = {}
        for row in self.rows[table]:
            found.setdefault(row[column], []).append(row)
        return found

    @property
    def qos_specs(self):
        """A QoS spec is the row without an owner; its pairs have its id as theirs."""
        return [row for row in self.rows["quality_of_service_specs"]
                if row["specs_id"] is None and row["key"] == QOS_NAME]


def document(text):
    """A JSON object from its text; {} for none."""
    found = text if isinstance(text, dict) else json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


class Places:
    """Host strings of Cinder in ours.

    Cinder names the one pool of an LVM or RBD backend after its volume_backend_name, we after its section. `mapping`
    ({old: new}) renames hosts, backends (host@section) or pools; the longest that fits wins, and a pool that it names is
    taken as it is.
    """

    def __init__(self, mapping):
        self.mapping = mapping
        self.used = set()

    def __call__(self, host):
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
