"""Declares the tables. Migrations create them; a test compares the two."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from cinder_lite.db.texts import FreeText

METADATA = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s"})

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Id = sa.String(36)
Name = sa.String(255)


def _table(name, *columns):
    return sa.Table(name, METADATA, *columns, mysql_engine="InnoDB", mysql_charset="utf8mb4",
                    mysql_collate="utf8mb4_bin")


def _documents(*names):
    """Small documents that are returned whole and not searched: never null, {} by default."""
    return [sa.Column(name, sa.JSON, nullable=False) for name in names]


def _flags(default, *names):
    return [sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())
            for name in names]


def _ids(*names):
    """Ids of other rows, where there are such."""
    return [sa.Column(name, Id) for name in names]


def _texts(*names):
    """Texts that may be null."""
    return [sa.Column(name, Name) for name in names]


def _resource():
    """The columns of every resource of a project with a status."""
    return [sa.Column("id", Id, primary_key=True), sa.Column("project_id", Name, nullable=False),
            sa.Column("user_id", Name, nullable=False), *_texts("name", "description"),
            sa.Column("status", sa.String(40), nullable=False), sa.Column("previous_status", sa.String(40)),
            *_timestamps()]


def _listed(*columns, of_all=True):
    """Indexes of lists, per project and of all projects, that are filtered or sorted by each of these columns."""
    return [sa.Index(None, *whose, *by, "created_at", "id") for by in [(), *((column,) for column in columns)]
            for whose in [("project_id",), *([()] if of_all else [])]]


def _timestamps():
    return [sa.Column("created_at", Time, nullable=False), sa.Column("updated_at", Time)]


volumes = _table(
    "volumes",
    *_resource(),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("attach_status", sa.String(40), nullable=False, server_default="detached"),
    *_texts("migration_status", "host", "availability_zone", "provider_id", "cluster_name"),
    sa.Column("replication_status", sa.String(40)),
    *_ids("volume_type_id", "snapshot_id", "source_volid", "backup_id", "group_id", "name_id", "encryption_key_id",
          "service_uuid"),
    *_flags(False, "bootable", "multiattach"),
    *_flags(True, "counted", "consumes_quota"),
    sa.Column("shared_targets", sa.Boolean, default=True),
    *_documents("metadata", "admin_metadata", "image_metadata", "facts", "export"),
    sa.Column("launched_at", Time),
    *_listed("status", "name", "size"),
    sa.Index(None, "host", "launched_at"),
    sa.Index(None, "snapshot_id"),
    sa.Index(None, "source_volid"),
    sa.Index(None, "volume_type_id"),
    sa.Index(None, "group_id"),
)

snapshots = _table(
    "snapshots",
    *_resource(),
    sa.Column("volume_id", Id, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("progress", sa.String(8)),
    *_ids("volume_type_id", "group_snapshot_id", "encryption_key_id"),
    *_flags(True, "counted", "consumes_quota"),
    *_documents("metadata", "facts"),
    *_listed("status", "name", "size"),
    sa.Index(None, "volume_id", "created_at"),
    sa.Index(None, "group_snapshot_id"),
)

#: The pairs of the metadata of volumes and snapshots as rows, for filters (see db/metadata_index.py). Answers show the
#: column `metadata` of the resource.
metadata_index = _table(
    "labels",
    sa.Column("resource_id", Id, primary_key=True),
    sa.Column("key", Name, primary_key=True),
    sa.Column("value", Name, nullable=False),
    sa.Column("pair", sa.String(32), nullable=False, server_default=""),
    sa.Column("project_id", Name, nullable=False, server_default=""),
    sa.Column("created_at", Time, nullable=False, server_default="1970-01-01 00:00:00"),
    sa.Index(None, "pair", "project_id", "created_at", "resource_id"),
    sa.Index(None, "pair", "created_at", "resource_id"),
)

attachments = _table(
    "attachments",
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, nullable=False),
    sa.Column("project_id", Name, nullable=False),
    *_ids("instance_uuid"),
    *_texts("attached_host", "mountpoint"),
    sa.Column("attach_mode", sa.String(8)),
    sa.Column("attach_status", sa.String(40), nullable=False),
    *_documents("connector", "connection_info"),
    sa.Column("attached_at", Time),
    *_timestamps(),
    sa.Index(None, "volume_id"),
    *_listed("attach_status"),
    sa.Index(None, "instance_uuid"),
)

#: A host's access to a volume, from the intent to grant it until it is revoked. `attachment_id` is the id of an
#: attachment, or of the job that copies the volume; without it the connection was only initialized.
connections = _table(
    "connections",
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, nullable=False),
    *_ids("attachment_id"),
    sa.Column("backend", Name, nullable=False),
    *_texts("host", "initiator", "export_name"),
    *_flags(False, "initialized", "joined", "read_only"),
    sa.Column("location", sa.Text),
    sa.Column("auth", sa.Text),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
    *_timestamps(),
    sa.Index(None, "volume_id"),
    sa.Index(None, "attachment_id"),
    sa.Index(None, "backend", "state"),
)

backups = _table(
    "backups",
    *_resource(),
    sa.Column("volume_id", Id, nullable=False),
    *_ids("snapshot_id", "parent_id", "restore_volume_id", "encryption_key_id"),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("object_count", sa.Integer, nullable=False, server_default="0"),
    *_texts("host", "availability_zone", "container", "service"),
    sa.Column("fail_reason", FreeText()),
    sa.Column("data_timestamp", Time),
    *_flags(True, "counted"),
    *_documents("metadata", "volume_record", "facts"),
    *_listed("status", "name", "size"),
    sa.Index(None, "volume_id", "data_timestamp"),
    sa.Index(None, "parent_id"),
)

volume_types = _table(
    "volume_types",
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    *_texts("description"),
    *_flags(True, "is_public"),
    *_ids("qos_specs_id"),
    *_documents("extra_specs"),
    sa.Column("encryption", sa.JSON(none_as_null=True)),
    *_timestamps(),
    sa.Index(None, "qos_specs_id"),
)

qos_specs = _table(
    "qos_specs",
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("consumer", sa.String(20), nullable=False),
    *_documents("specs"),
    *_timestamps(),
)

volume_type_projects = _table(
    "volume_type_projects",
    sa.Column("volume_type_id", Id, primary_key=True),
    sa.Column("project_id", Name, primary_key=True),
)

default_types = _table(
    "default_types",
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("volume_type_id", Id, nullable=False),
)

#: Limits of a project; `type_id` is "" for the limit of the whole project, or the id of the volume type that is
#: limited.
quotas = _table(
    "quotas",
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("resource", sa.String(40), primary_key=True),
    sa.Column("type_id", Id, primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

quota_classes = _table(
    "quota_classes",
    sa.Column("class_name", Name, primary_key=True),
    sa.Column("resource", sa.String(40), primary_key=True),
    sa.Column("type_id", Id, primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

quota_usages = _table(
    "quota_usages",
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("resource", sa.String(40), primary_key=True),
    sa.Column("type_id", Id, primary_key=True),
    sa.Column("in_use", sa.BigInteger, nullable=False),
)

jobs = _table(
    "jobs",
    sa.Column("id", Id, primary_key=True),
    sa.Column("request_id", sa.String(64)),
    sa.Column("project_id", Name, nullable=False),
    *_texts("user_id", "host", "owner"),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("resource_id", Id, nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    *_documents("args"),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("lease_until", Time),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("progress", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", FreeText()),
    #: The error as members of the project see it; null: a former release had one text for everybody.
    sa.Column("public_error", FreeText()),
    sa.Column("decision", sa.JSON),
    *_timestamps(),
    sa.Column("finished_at", Time),
    *_listed(of_all=False),
    sa.Index(None, "status", "stage", "host"),
    sa.Index(None, "resource_id", "created_at"),
    sa.Index(None, "created_at"),
)

services = _table(
    "services",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Id, nullable=False),
    sa.Column("binary", sa.String(40), nullable=False),
    sa.Column("host", Name, nullable=False),
    sa.Column("availability_zone", Name, nullable=False),
    *_flags(False, "disabled", "frozen"),
    *_texts("disabled_reason", "active_backend_id", "cluster_name"),
    *_flags(True, "backend_up"),
    sa.Column("backend_reason", FreeText()),
    sa.Column("replication_status", sa.String(40)),
    sa.Column("rpc_version", sa.String(20)),
    *_ids("instance"),
    *_texts("lock_id"),
    *_timestamps(),
    sa.Column("seen_at", Time),
    sa.UniqueConstraint("host", "binary"),
)

pools = _table(
    "pools",
    sa.Column("name", Name, primary_key=True),
    sa.Column("service_host", Name, nullable=False),
    sa.Column("total_gb", sa.Double),
    sa.Column("free_gb", sa.Double),
    sa.Column("total_word", sa.String(10)),
    sa.Column("free_word", sa.String(10)),
    sa.Column("provisioned_gb", sa.Double, nullable=False, server_default="0"),
    sa.Column("allocated_gb", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("volume_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reserved_percentage", sa.Integer, nullable=False, server_default="0"),
    sa.Column("max_over_subscription_ratio", sa.String(10), nullable=False, server_default="20.0"),
    *_flags(False, "thin", "multiattach"),
    *_flags(True, "thick", "online_extend"),
    *_documents("capabilities"),
    sa.Column("measured_at", Time),
    sa.Index(None, "service_host"),
)

messages = _table(
    "messages",
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("request_id", sa.String(64)),
    sa.Column("resource_type", sa.String(40)),
    *_ids("resource_uuid"),
    sa.Column("event_id", Name, nullable=False),
    sa.Column("message_level", sa.String(20), nullable=False),
    sa.Column("user_message", FreeText(long=True), nullable=False),
    #: The text that administrators see; null: a former release had one text for everybody.
    sa.Column("details", FreeText(long=True)),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("expires_at", Time, nullable=False),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "resource_uuid"),
    sa.Index(None, "expires_at"),
    sa.Index(None, "created_at"),
)

transfers = _table(
    "transfers",
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, nullable=False, unique=True),
    sa.Column("project_id", Name, nullable=False),
    *_texts("name"),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    *_flags(False, "no_snapshots"),
    *_timestamps(),
    sa.Index(None, "project_id", "created_at", "id"),
)

group_types = _table(
    "group_types",
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    *_texts("description"),
    *_flags(True, "is_public"),
    *_documents("group_specs"),
    *_timestamps(),
)

groups = _table(
    "volume_groups",
    *_resource(),
    *_texts("host", "availability_zone"),
    sa.Column("group_type_id", Id, nullable=False),
    *_documents("volume_types"),
    *_ids("group_snapshot_id", "source_group_id"),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "group_type_id"),
)

group_snapshots = _table(
    "group_snapshots",
    *_resource(),
    sa.Column("group_id", Id, nullable=False),
    sa.Column("group_type_id", Id, nullable=False),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "group_id"),
)

#: The tables of the resources that have a status, by kind.
RESOURCES = {"volume": volumes, "snapshot": snapshots, "backup": backups, "group": groups,
             "group_snapshot": group_snapshots}

#: Ids that were imported from Cinder, including resources that were deleted since: they are not imported again.
imported = _table(
    "adopted",
    sa.Column("kind", sa.String(40), primary_key=True),
    sa.Column("id", Name, primary_key=True),
)

#: Notifications that have not been sent yet.
notices = _table(
    "notices",
    sa.Column("id", Id, primary_key=True),
    sa.Column("owner", Name, nullable=False),
    sa.Column("event_type", Name, nullable=False),
    sa.Column("publisher_id", Name, nullable=False),
    *_documents("payload"),
    sa.Column("created_at", Time, nullable=False),
    sa.Index(None, "created_at"),
)
