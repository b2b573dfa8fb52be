"""Lists the operations of the API, one row each."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from cinder_lite.api import (
    attachments,
    backups,
    clusters,
    consistency_groups,
    default_types,
    extensions,
    group_types,
    groups,
    hosts,
    log_levels,
    manageable,
    messages,
    metadata,
    qos,
    quotas,
    services,
    snapshots,
    transfers,
    type_encryption,
    types,
    volume_actions,
    volume_create,
    volumes,
)
from cinder_lite.api.body_schema import Schema
from cinder_lite.api.pages import Many
from cinder_lite.api.route import Handler, Route
from cinder_lite.api.schemas import attachments as attachment_bodies
from cinder_lite.api.schemas import backups as backup_bodies
from cinder_lite.api.schemas import groups as group_bodies
from cinder_lite.api.schemas import manageable as manageable_bodies
from cinder_lite.api.schemas import qos as qos_bodies
from cinder_lite.api.schemas import quotas as quota_bodies
from cinder_lite.api.schemas import services as service_bodies
from cinder_lite.api.schemas import snapshots as snapshot_bodies
from cinder_lite.api.schemas import transfers as transfer_bodies
from cinder_lite.api.schemas import types as type_bodies
from cinder_lite.api.schemas import volumes as volume_bodies
from cinder_lite.api.view import FIRST, One, Renderer, plain, text
from cinder_lite.api.views import attachments as attachment_views
from cinder_lite.api.views import backups as backup_views
from cinder_lite.api.views import groups as group_views
from cinder_lite.api.views import manageable as manageable_views
from cinder_lite.api.views import messages as message_views
from cinder_lite.api.views import qos as qos_views
from cinder_lite.api.views import services as service_views
from cinder_lite.api.views import snapshots as snapshot_views
from cinder_lite.api.views import transfers as transfer_views
from cinder_lite.api.views import types as type_views
from cinder_lite.api.views import volumes as volume_views


def _action(resource: str, handler: Handler, policy: str, body: Schema, view: Renderer | None = None,
            status: int = 202, since: str = FIRST) -> Route:
    """An operation that is named by the one key of its body."""
    return Route("POST", f"{resource}/action", handler, policy, body, view, status, since, action=body["required"][0])


def _lists(path: str, index: Handler, policy: str, key: str, short: Renderer, long: Renderer, links: str | None = None,
           since: str = FIRST) -> Iterator[Route]:
    """The list of a collection, and the one with details."""
    for where, view in ((path, short), (f"{path}/detail", long)):
        yield Route("GET", where, index, policy, view=Many(key, view, links), since=since)


def _metadata(resource: str, get: str, add: str, change: str, delete: str, bodies: Any) -> Iterator[Route]:
    """The operations on the metadata of a resource, with the policies of reading, adding, changing and deleting."""
    whole, item = f"{resource}/metadata", f"{resource}/metadata/{{key}}"
    yield Route("GET", whole, metadata.show, get, view=plain)
    yield Route("POST", whole, metadata.add, add, bodies.SET_METADATA, plain)
    yield Route("PUT", whole, metadata.replace, change, bodies.SET_METADATA, plain)
    yield Route("GET", item, metadata.show_item, get, view=plain)
    yield Route("PUT", item, metadata.set_item, change, bodies.SET_META, plain)
    yield Route("DELETE", item, metadata.delete_item, delete)


def _from(since: str, routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes, those that name no version since that one."""
    return tuple(dataclasses.replace(route, since=since) if route.since == FIRST else route for route in routes)


_VOLUME = "/volumes/{volume_id}"
_VA, _VAA = "volume_extension:volume_actions:", "volume_extension:volume_admin_actions:"

VOLUMES = (
    Route("POST", "/volumes", volume_create.create, "volume:create", volume_bodies.CREATE,
          One("volume", volume_views.DETAIL), 202),
    Route("GET", "/volumes", volumes.index, "volume:get_all",
          view=Many("volumes", volume_views.SUMMARY, "volumes_links")),
    Route("GET", "/volumes/detail", volumes.detail, "volume:get_all",
          view=Many("volumes", volume_views.WHOLE, "volumes_links")),
    Route("GET", "/volumes/summary", volumes.summary, "volume:get_all", view=plain, since="3.12"),
    Route("GET", _VOLUME, volumes.show, "volume:get", view=One("volume", volume_views.WHOLE)),
    Route("PUT", _VOLUME, volumes.update, "volume:update", volume_bodies.UPDATE, One("volume", volume_views.DETAIL)),
    Route("DELETE", _VOLUME, volumes.delete, "volume:delete", status=202),
    *_metadata(_VOLUME, "volume:get_volume_metadata", "volume:create_volume_metadata",
               "volume:update_volume_metadata", "volume:delete_volume_metadata", volume_bodies),
    Route("GET", f"{_VOLUME}/encryption", volumes.encryption, "volume_extension:volume_encryption_metadata",
          view=plain),
    Route("GET", f"{_VOLUME}/encryption/{{key}}", volumes.encryption_value,
          "volume_extension:volume_encryption_metadata", view=text),
)

VOLUME_ACTIONS = (
    _action(_VOLUME, volume_actions.attach, f"{_VA}attach", volume_bodies.ATTACH),
    _action(_VOLUME, volume_actions.detach, f"{_VA}detach", volume_bodies.DETACH),
    _action(_VOLUME, volume_actions.reserve, f"{_VA}reserve", volume_bodies.RESERVE),
    _action(_VOLUME, volume_actions.unreserve, f"{_VA}unreserve", volume_bodies.UNRESERVE),
    _action(_VOLUME, volume_actions.begin_detaching, f"{_VA}begin_detaching", volume_bodies.BEGIN_DETACHING),
    _action(_VOLUME, volume_actions.roll_detaching, f"{_VA}roll_detaching", volume_bodies.ROLL_DETACHING),
    _action(_VOLUME, volume_actions.initialize_connection, f"{_VA}initialize_connection", volume_bodies.INITIALIZE,
            plain, status=200),
    _action(_VOLUME, volume_actions.terminate_connection, f"{_VA}terminate_connection", volume_bodies.TERMINATE),
    _action(_VOLUME, volume_actions.force_detach, f"{_VAA}force_detach", volume_bodies.FORCE_DETACH),
    _action(_VOLUME, volume_actions.extend, "volume:extend", volume_bodies.EXTEND),
    _action(_VOLUME, volume_actions.revert, "volume:revert_to_snapshot", volume_bodies.REVERT, since="3.40"),
    _action(_VOLUME, volume_actions.retype, "volume:retype", volume_bodies.RETYPE),
    _action(_VOLUME, volume_actions.migrate, f"{_VAA}migrate_volume", volume_bodies.MIGRATE),
    _action(_VOLUME, volume_actions.complete_migration, f"{_VAA}migrate_volume_completion",
            volume_bodies.MIGRATION_COMPLETION, plain, status=200),
    _action(_VOLUME, volume_actions.complete_extend, f"{_VAA}extend_volume_completion", volume_bodies.EXTEND_COMPLETION,
            since="3.71"),
    _action(_VOLUME, manageable.unmanage_volume, "volume_extension:volume_unmanage", manageable_bodies.UNMANAGE),
    _action(_VOLUME, volume_actions.upload_image, f"{_VA}upload_image", volume_bodies.UPLOAD_IMAGE, plain),
    _action(_VOLUME, volume_actions.reimage, "volume:reimage", volume_bodies.REIMAGE, since="3.68"),
    _action(_VOLUME, volume_actions.update_readonly_flag, "volume:update", volume_bodies.READONLY),
    _action(_VOLUME, volume_actions.set_bootable, "volume:update", volume_bodies.BOOTABLE, status=200),
    _action(_VOLUME, volume_actions.reset_status, f"{_VAA}reset_status", volume_bodies.RESET_STATUS),
    _action(_VOLUME, volume_actions.force_delete, f"{_VAA}force_delete", volume_bodies.FORCE_DELETE),
    _action(_VOLUME, volume_actions.set_image_metadata, "volume_extension:volume_image_metadata:set",
            volume_bodies.SET_IMAGE_METADATA, plain, status=200),
    _action(_VOLUME, volume_actions.show_image_metadata, "volume_extension:volume_image_metadata:show",
            volume_bodies.SHOW_IMAGE_METADATA, plain, status=200),
    _action(_VOLUME, volume_actions.unset_image_metadata, "volume_extension:volume_image_metadata:remove",
            volume_bodies.UNSET_IMAGE_METADATA, status=200),
)

_SNAPSHOT = "/snapshots/{snapshot_id}"
_SAA = "volume_extension:snapshot_admin_actions:"

SNAPSHOTS = (
    Route("POST", "/snapshots", snapshots.create, "volume:create_snapshot", snapshot_bodies.CREATE,
          One("snapshot", snapshot_views.DETAIL), 202),
    *_lists("/snapshots", snapshots.index, "volume:get_all_snapshots", "snapshots", snapshot_views.SUMMARY,
            snapshot_views.WHOLE, "snapshots_links"),
    Route("GET", _SNAPSHOT, snapshots.show, "volume:get_snapshot", view=One("snapshot", snapshot_views.WHOLE)),
    Route("PUT", _SNAPSHOT, snapshots.update, "volume:update_snapshot", snapshot_bodies.UPDATE,
          One("snapshot", snapshot_views.DETAIL)),
    Route("DELETE", _SNAPSHOT, snapshots.delete, "volume:delete_snapshot", status=202),
    *_metadata(_SNAPSHOT, "volume:get_snapshot_metadata", "volume:update_snapshot_metadata",
               "volume:update_snapshot_metadata", "volume:delete_snapshot_metadata", snapshot_bodies),
    _action(_SNAPSHOT, snapshots.reset_status, f"{_SAA}reset_status", snapshot_bodies.RESET_STATUS),
    _action(_SNAPSHOT, snapshots.force_delete, f"{_SAA}force_delete", snapshot_bodies.FORCE_DELETE),
    _action(_SNAPSHOT, manageable.unmanage_snapshot, "snapshot_extension:snapshot_unmanage",
            manageable_bodies.UNMANAGE),
    _action(_SNAPSHOT, snapshots.update_status,
            "snapshot_extension:snapshot_actions:update_snapshot_status", snapshot_bodies.UPDATE_STATUS),
)

_VM, _SN = "volume_extension:", "snapshot_extension:"


def _manageable(volumes_at: str, snapshots_at: str, since: str) -> Iterator[Route]:
    """The operations of one pair of paths."""
    yield Route("POST", volumes_at, manageable.manage_volume, f"{_VM}volume_manage", manageable_bodies.VOLUME,
                One("volume", volume_views.DETAIL), 202, since)
    yield from _lists(volumes_at, manageable.list_volumes, f"{_VM}list_manageable", "manageable-volumes",
                      manageable_views.VOLUME, manageable_views.VOLUME_DETAIL, since=since)
    yield Route("POST", snapshots_at, manageable.manage_snapshot, f"{_SN}snapshot_manage", manageable_bodies.SNAPSHOT,
                One("snapshot", snapshot_views.DETAIL), 202, since)
    yield from _lists(snapshots_at, manageable.list_snapshots, f"{_SN}list_manageable", "manageable-snapshots",
                      manageable_views.SNAPSHOT, manageable_views.SNAPSHOT_DETAIL, since=since)


MANAGEABLE = (*_manageable("/manageable_volumes", "/manageable_snapshots", "3.8"),
              *_manageable("/os-volume-manage", "/os-snapshot-manage", "3.0"))


def _transfers(path: str, create: Handler, body: Schema, index: Handler) -> Iterator[Route]:
    """The operations of one of the paths."""
    one, views = f"{path}/{{transfer_id}}", transfer_views
    yield from _lists(path, index, "volume:get_all_transfers", "transfers", views.SUMMARY, views.DETAIL,
                      "transfers_links")
    yield Route("POST", path, create, "volume:create_transfer", body, One("transfer", views.CREATED), 202)
    yield Route("GET", one, transfers.show, "volume:get_transfer", view=One("transfer", views.DETAIL))
    yield Route("DELETE", one, transfers.delete, "volume:delete_transfer", status=202)
    yield Route("POST", f"{one}/accept", transfers.accept, "volume:accept_transfer", transfer_bodies.ACCEPT,
                One("transfer", views.SUMMARY), 202)


TRANSFERS = (*_transfers("/volume-transfers", transfers.create, transfer_bodies.CREATE, transfers.index),
             *_transfers("/os-volume-transfer", transfers.create_formerly, transfer_bodies.CREATE_FORMERLY,
                         transfers.index_formerly))

_ATTACHMENT = "/attachments/{attachment_id}"

ATTACHMENTS = _from("3.27", (
    *_lists("/attachments", attachments.index, "volume:get", "attachments", attachment_views.SUMMARY,
            attachment_views.LISTED),
    Route("POST", "/attachments", attachments.create, "volume:attachment_create", attachment_bodies.CREATE,
          One("attachment", attachment_views.DETAIL)),
    Route("GET", _ATTACHMENT, attachments.show, "volume:get", view=One("attachment", attachment_views.DETAIL)),
    Route("PUT", _ATTACHMENT, attachments.update, "volume:attachment_update", attachment_bodies.UPDATE,
          One("attachment", attachment_views.DETAIL)),
    Route("DELETE", _ATTACHMENT, attachments.delete, "volume:attachment_delete",
          view=Many("attachments", attachment_views.SUMMARY)),
    _action(_ATTACHMENT, attachments.complete, "volume:attachment_complete", attachment_bodies.COMPLETE,
            status=204, since="3.44"),
))

_BACKUP = "/backups/{backup_id}"
_BAA = "volume_extension:backup_admin_actions:"

BACKUPS = (
    Route("POST", "/backups", backups.create, "backup:create", backup_bodies.CREATE,
          One("backup", backup_views.SUMMARY), 202),
    Route("GET", "/backups", backups.index, "backup:get_all",
          view=Many("backups", backup_views.SUMMARY, "backups_links")),
    Route("GET", "/backups/detail", backups.detail, "backup:get_all",
          view=Many("backups", backup_views.DETAIL, "backups_links")),
    Route("POST", "/backups/import_record", backups.import_record, "backup:backup-import", backup_bodies.IMPORT,
          One("backup", backup_views.SUMMARY), 201),
    Route("GET", _BACKUP, backups.show, "backup:get", view=One("backup", backup_views.DETAIL)),
    Route("PUT", _BACKUP, backups.update, "backup:update", backup_bodies.UPDATE, One("backup", backup_views.SUMMARY),
          since="3.9"),
    Route("DELETE", _BACKUP, backups.delete, "backup:delete", status=202),
    Route("POST", f"{_BACKUP}/restore", backups.restore, "backup:restore", backup_bodies.RESTORE, plain, 202),
    Route("GET", f"{_BACKUP}/export_record", backups.export_record, "backup:export-import", view=plain),
    _action(_BACKUP, backups.reset_status, f"{_BAA}reset_status", backup_bodies.RESET_STATUS),
    _action(_BACKUP, backups.force_delete, f"{_BAA}force_delete", backup_bodies.FORCE_DELETE),
)

_TYPE = "/types/{type_id}"
_SPECS, _ACCESS = "volume_extension:types_extra_specs:", "volume_extension:volume_type_access:"
_DEFAULT = "/default-types/{default_project_id}"

TYPES = (
    Route("GET", "/types", types.index, "volume_extension:type_get_all",
          view=Many("volume_types", type_views.DETAIL, "volume_type_links")),
    Route("POST", "/types", types.create, "volume_extension:type_create", type_bodies.CREATE,
          One("volume_type", type_views.CREATED)),
    Route("GET", _TYPE, types.show, "volume_extension:type_get", view=One("volume_type", type_views.DETAIL)),
    Route("PUT", _TYPE, types.update, "volume_extension:type_update", type_bodies.UPDATE,
          One("volume_type", type_views.UPDATED)),
    Route("DELETE", _TYPE, types.delete, "volume_extension:type_delete", status=202),
    Route("GET", f"{_TYPE}/extra_specs", types.list_specs, f"{_SPECS}index", view=plain),
    Route("POST", f"{_TYPE}/extra_specs", types.add_specs, f"{_SPECS}create", type_bodies.SET_SPECS, plain),
    Route("GET", f"{_TYPE}/extra_specs/{{key}}", types.show_spec, f"{_SPECS}show", view=plain),
    Route("PUT", f"{_TYPE}/extra_specs/{{key}}", types.set_spec, f"{_SPECS}update", type_bodies.SET_SPEC, plain),
    Route("DELETE", f"{_TYPE}/extra_specs/{{key}}", types.delete_spec, f"{_SPECS}delete", status=202),
    Route("GET", f"{_TYPE}/os-volume-type-access", types.list_access, f"{_ACCESS}get_all_for_type", view=plain),
    _action(_TYPE, types.add_access, f"{_ACCESS}addProjectAccess", type_bodies.ADD_ACCESS),
    _action(_TYPE, types.remove_access, f"{_ACCESS}removeProjectAccess", type_bodies.REMOVE_ACCESS),
    Route("GET", "/default-types", default_types.index, "volume_extension:default_get_all", view=plain, since="3.62"),
    Route("GET", _DEFAULT, default_types.show, "volume_extension:default_get", view=plain, since="3.62"),
    Route("PUT", _DEFAULT, default_types.set_default, "volume_extension:default_set_or_update",
          type_bodies.SET_DEFAULT, plain, since="3.62"),
    Route("DELETE", _DEFAULT, default_types.unset, "volume_extension:default_unset", status=204, since="3.62"),
)

_ENCRYPTION, _TE = f"{_TYPE}/encryption", "volume_extension:volume_type_encryption:"
_QOS, _QM = "/qos-specs/{qos_id}", "volume_extension:qos_specs_manage:"

TYPE_ENCRYPTION = (
    Route("GET", _ENCRYPTION, type_encryption.show, f"{_TE}get", view=plain),
    Route("POST", _ENCRYPTION, type_encryption.create, f"{_TE}create", type_bodies.CREATE_ENCRYPTION, plain),
    Route("GET", f"{_ENCRYPTION}/{{key}}", type_encryption.show_key, f"{_TE}get", view=plain),
    Route("PUT", f"{_ENCRYPTION}/{{key}}", type_encryption.update, f"{_TE}update",
          type_bodies.UPDATE_ENCRYPTION, plain),
    Route("DELETE", f"{_ENCRYPTION}/{{key}}", type_encryption.delete, f"{_TE}delete", status=202),
)

QOS = (
    Route("GET", "/qos-specs", qos.index, f"{_QM}get_all", view=Many("qos_specs", qos_views.SPEC, "qos_specs_links")),
    Route("POST", "/qos-specs", qos.create, f"{_QM}create", qos_bodies.CREATE, qos_views.SINGLE),
    Route("GET", _QOS, qos.show, f"{_QM}get", view=qos_views.SINGLE),
    Route("PUT", _QOS, qos.update, f"{_QM}update", qos_bodies.UPDATE, plain),
    Route("DELETE", _QOS, qos.delete, f"{_QM}delete", status=202),
    Route("PUT", f"{_QOS}/delete_keys", qos.delete_keys, f"{_QM}delete", qos_bodies.DELETE_KEYS, None, 202),
    Route("GET", f"{_QOS}/associations", qos.associations, f"{_QM}get_all", view=plain),
    Route("GET", f"{_QOS}/associate", qos.associate, f"{_QM}update", status=202),
    Route("GET", f"{_QOS}/disassociate", qos.disassociate, f"{_QM}update", status=202),
    Route("GET", f"{_QOS}/disassociate_all", qos.disassociate_all, f"{_QM}update", status=202),
)

_QUOTA, _CLASS = "/os-quota-sets/{target_project_id}", "/os-quota-class-sets/{class_name}"

QUOTAS = (
    Route("GET", _QUOTA, quotas.show, None, view=plain),
    Route("GET", f"{_QUOTA}/defaults", quotas.defaults, None, view=plain),
    Route("PUT", _QUOTA, quotas.update, "volume_extension:quotas:update", quota_bodies.SET, plain),
    Route("DELETE", _QUOTA, quotas.delete, "volume_extension:quotas:delete"),
    Route("GET", _CLASS, quotas.show_class, "volume_extension:quota_classes:get", view=plain),
    Route("PUT", _CLASS, quotas.update_class, "volume_extension:quota_classes:update", quota_bodies.SET_CLASS, plain),
    Route("GET", "/limits", quotas.limits, None, view=plain),
)

_UPDATE, _HOSTS = "volume_extension:services:update", "volume_extension:hosts"

SERVICES = (
    Route("GET", "/os-services", services.index, "volume_extension:services:index",
          view=Many("services", service_views.SERVICE)),
    Route("PUT", "/os-services/enable", services.enable, _UPDATE, service_bodies.SWITCH, plain),
    Route("PUT", "/os-services/disable", services.disable, _UPDATE, service_bodies.SWITCH, plain),
    Route("PUT", "/os-services/disable-log-reason", services.disable_with_reason, _UPDATE,
          service_bodies.DISABLE_WITH_REASON, plain),
    Route("PUT", "/os-services/freeze", services.freeze, "volume:freeze_host", service_bodies.FREEZE),
    Route("PUT", "/os-services/thaw", services.thaw, "volume:thaw_host", service_bodies.FREEZE),
    Route("PUT", "/os-services/failover_host", services.failover, "volume:failover_host", service_bodies.FAILOVER,
          None, 202),
    Route("PUT", "/os-services/failover", services.failover, "volume:failover_host", service_bodies.FAILOVER, None,
          202, "3.26"),
    Route("PUT", "/os-services/set-log", log_levels.set_levels, _UPDATE, service_bodies.SET_LEVELS, None, 202, "3.32"),
    Route("PUT", "/os-services/get-log", log_levels.get_levels, _UPDATE, service_bodies.GET_LEVELS, plain,
          since="3.32"),
    Route("GET", "/os-hosts", hosts.index, _HOSTS, view=plain),
    Route("GET", "/os-hosts/{host}", hosts.show, _HOSTS, view=plain),
    Route("PUT", "/os-hosts/{host}", hosts.update, _HOSTS, service_bodies.HOST, plain),
    Route("GET", "/clusters", clusters.index, "clusters:get_all", view=plain, since="3.7"),
    Route("GET", "/clusters/detail", clusters.detail, "clusters:get_all", view=plain, since="3.7"),
    Route("GET", "/clusters/{name}", clusters.show, "clusters:get", view=plain, since="3.7"),
    Route("PUT", "/clusters/enable", clusters.enable, "clusters:update", service_bodies.ENABLE_CLUSTER, plain,
          since="3.7"),
    Route("PUT", "/clusters/disable", clusters.disable, "clusters:update", service_bodies.DISABLE_CLUSTER, plain,
          since="3.7"),
    Route("POST", "/workers/cleanup", hosts.clean_up, "workers:cleanup", service_bodies.CLEAN_UP, plain, 202, "3.24"),
    Route("GET", "/os-availability-zone", services.zones, None, view=plain),
    Route("GET", "/scheduler-stats/get_pools", services.get_pools, "scheduler_extension:scheduler_stats:get_pools",
          view=Many("pools", service_views.POOL)),
    Route("GET", "/capabilities/{host}", services.capabilities, "volume_extension:capabilities", view=plain),
)

_GROUP, _GROUP_SNAPSHOT = "/groups/{group_id}", "/group_snapshots/{group_snapshot_id}"
_GROUP_TYPE = "/group_types/{group_type_id}"
_GROUP_SPECS, _GROUP_SPEC = f"{_GROUP_TYPE}/group_specs", f"{_GROUP_TYPE}/group_specs/{{key}}"
_GT, _GS = "group:group_types:", "group:group_types_specs:"

GROUPS = _from("3.13", (
    *_lists("/groups", groups.index, "group:get_all", "groups", group_views.GROUP_SUMMARY, group_views.GROUP,
            "group_links"),
    Route("POST", "/groups", groups.create, "group:create", group_bodies.CREATE,
          One("group", group_views.GROUP_SUMMARY), 202),
    Route("GET", _GROUP, groups.show, "group:get", view=One("group", group_views.GROUP)),
    Route("PUT", _GROUP, groups.update, "group:update", group_bodies.UPDATE, None, 202),
    _action(_GROUP, groups.delete, "group:delete", group_bodies.DELETE),
    _action("/groups", groups.create_from, "group:create", group_bodies.CREATE_FROM,
            One("group", group_views.GROUP_SUMMARY), since="3.14"),
    _action(_GROUP, groups.reset_status, "group:reset_status", group_bodies.RESET, since="3.20"),
    _action(_GROUP, groups.replicate, "group:enable_replication", group_bodies.ENABLE_REPLICATION, since="3.38"),
    _action(_GROUP, groups.replicate, "group:disable_replication", group_bodies.DISABLE_REPLICATION, since="3.38"),
    _action(_GROUP, groups.replicate, "group:failover_replication", group_bodies.FAILOVER, since="3.38"),
    _action(_GROUP, groups.list_targets, "group:list_replication_targets", group_bodies.LIST_TARGETS, plain,
            status=200, since="3.38"),
))

GROUP_SNAPSHOTS = _from("3.14", (
    *_lists("/group_snapshots", groups.list_snapshots, "group:get_all_group_snapshots", "group_snapshots",
            group_views.SNAPSHOT_SUMMARY, group_views.SNAPSHOT, "group_snapshot_links"),
    Route("POST", "/group_snapshots", groups.create_snapshot, "group:create_group_snapshot", group_bodies.SNAPSHOT,
          One("group_snapshot", group_views.SNAPSHOT_CREATED), 202),
    Route("GET", _GROUP_SNAPSHOT, groups.show_snapshot, "group:get_group_snapshot",
          view=One("group_snapshot", group_views.SNAPSHOT)),
    Route("DELETE", _GROUP_SNAPSHOT, groups.delete_snapshot, "group:delete_group_snapshot", status=202),
    _action(_GROUP_SNAPSHOT, groups.reset_snapshot_status, "group:reset_group_snapshot_status",
            group_bodies.RESET, since="3.19"),
))

GROUP_TYPES = _from("3.11", (
    Route("GET", "/group_types", group_types.index, f"{_GT}get_all",
          view=Many("group_types", group_views.TYPE, "group_type_links")),
    Route("POST", "/group_types", group_types.create, f"{_GT}create", group_bodies.CREATE_TYPE,
          One("group_type", group_views.TYPE), 202),
    Route("GET", _GROUP_TYPE, group_types.show, f"{_GT}get", view=One("group_type", group_views.TYPE)),
    Route("PUT", _GROUP_TYPE, group_types.update, f"{_GT}update", group_bodies.UPDATE_TYPE,
          One("group_type", group_views.TYPE)),
    Route("DELETE", _GROUP_TYPE, group_types.delete, f"{_GT}delete", status=202),
    Route("GET", _GROUP_SPECS, group_types.list_specs, f"{_GS}get_all", view=plain),
    Route("POST", _GROUP_SPECS, group_types.add_specs, f"{_GS}create", group_bodies.SET_SPECS, plain, 202),
    Route("GET", _GROUP_SPEC, group_types.show_spec, f"{_GS}get", view=plain),
    Route("PUT", _GROUP_SPEC, group_types.set_spec, f"{_GS}update", group_bodies.SET_SPEC, plain),
    Route("DELETE", _GROUP_SPEC, group_types.delete_spec, f"{_GS}delete", status=202),
))

_CONSISTENCY_GROUP, _CGSNAPSHOT = "/consistencygroups/{group_id}", "/cgsnapshots/{group_snapshot_id}"

CONSISTENCY_GROUPS = (
    *_lists("/consistencygroups", consistency_groups.index, "group:get_all", "consistencygroups",
            group_views.GROUP_SUMMARY, group_views.CONSISTENCY_GROUP, "consistencygroup_links"),
    Route("POST", "/consistencygroups", consistency_groups.create, "group:create", group_bodies.CREATE_LEGACY,
          One("consistencygroup", group_views.GROUP_SUMMARY), 202),
    Route("POST", "/consistencygroups/create_from_src", consistency_groups.create_from, "group:create",
          group_bodies.CREATE_LEGACY_FROM, One("consistencygroup", group_views.GROUP_SUMMARY), 202),
    Route("GET", _CONSISTENCY_GROUP, consistency_groups.show, "group:get",
          view=One("consistencygroup", group_views.CONSISTENCY_GROUP)),
    Route("PUT", f"{_CONSISTENCY_GROUP}/update", consistency_groups.update, "group:update", group_bodies.UPDATE_LEGACY,
          None, 202),
    Route("PUT", _CONSISTENCY_GROUP, consistency_groups.update, "group:update", group_bodies.UPDATE_LEGACY, None, 202),
    Route("POST", f"{_CONSISTENCY_GROUP}/delete", consistency_groups.delete, "group:delete", status=202),
    Route("DELETE", _CONSISTENCY_GROUP, consistency_groups.delete, "group:delete", status=202),
    *_lists("/cgsnapshots", consistency_groups.list_snapshots, "group:get_all_group_snapshots", "cgsnapshots",
            group_views.SNAPSHOT_SUMMARY, group_views.CGSNAPSHOT),
    Route("POST", "/cgsnapshots", consistency_groups.create_snapshot, "group:create_group_snapshot",
          group_bodies.CGSNAPSHOT, One("cgsnapshot", group_views.SNAPSHOT_SUMMARY), 202),
    Route("GET", _CGSNAPSHOT, consistency_groups.show_snapshot, "group:get_group_snapshot",
          view=One("cgsnapshot", group_views.CGSNAPSHOT)),
    Route("DELETE", _CGSNAPSHOT, consistency_groups.delete_snapshot, "group:delete_group_snapshot", status=202),
)

OTHERS = (
    Route("GET", "/messages", messages.index, "message:get_all",
          view=Many("messages", message_views.MESSAGE, "messages_links"), since="3.3"),
    Route("GET", "/messages/{message_id}", messages.show, "message:get", view=One("message", message_views.MESSAGE),
          since="3.3"),
    Route("DELETE", "/messages/{message_id}", messages.delete, "message:delete", status=204, since="3.3"),
    Route("GET", "/extensions", extensions.index, None, view=plain),
    Route("GET", "/extensions/{alias}", extensions.show, None, view=plain),
    Route("GET", "/resource_filters", extensions.resource_filters, None, view=plain, since="3.33"),
    Route("GET", "/jobs", messages.list_jobs, "cinder_lite:jobs", view=Many("jobs", message_views.JOB, "jobs_links")),
    Route("GET", "/jobs/{job_id}", messages.show_job, "cinder_lite:jobs", view=One("job", message_views.JOB)),
)

ROUTES = (*VOLUMES, *VOLUME_ACTIONS, *SNAPSHOTS, *MANAGEABLE, *TRANSFERS, *ATTACHMENTS, *BACKUPS, *TYPES,
          *TYPE_ENCRYPTION, *QOS, *QUOTAS, *SERVICES, *GROUPS, *GROUP_SNAPSHOTS, *GROUP_TYPES,
          *CONSISTENCY_GROUPS, *OTHERS)
