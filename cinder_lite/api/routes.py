"""Lists the operations of the API, one row each."""

from collections.abc import Iterator

from cinder_lite.api import (
    attachments,
    backups,
    consistency_groups,
    default_types,
    extensions,
    group_types,
    groups,
    hosts,
    log_levels,
    manageable,
    messages,
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
from cinder_lite.api.view import One, plain, text
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

_VOLUME, _ACTION = "/volumes/{volume_id}", "/volumes/{volume_id}/action"
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
    Route("GET", f"{_VOLUME}/metadata", volumes.show_metadata, "volume:get_volume_metadata", view=plain),
    Route("POST", f"{_VOLUME}/metadata", volumes.add_metadata, "volume:create_volume_metadata",
          volume_bodies.SET_METADATA, plain),
    Route("PUT", f"{_VOLUME}/metadata", volumes.replace_metadata, "volume:update_volume_metadata",
          volume_bodies.SET_METADATA, plain),
    Route("GET", f"{_VOLUME}/metadata/{{key}}", volumes.show_meta, "volume:get_volume_metadata", view=plain),
    Route("PUT", f"{_VOLUME}/metadata/{{key}}", volumes.set_meta, "volume:update_volume_metadata",
          volume_bodies.SET_META, plain),
    Route("DELETE", f"{_VOLUME}/metadata/{{key}}", volumes.delete_meta, "volume:delete_volume_metadata"),
    Route("GET", f"{_VOLUME}/encryption", volumes.encryption, "volume_extension:volume_encryption_metadata",
          view=plain),
    Route("GET", f"{_VOLUME}/encryption/{{key}}", volumes.encryption_value,
          "volume_extension:volume_encryption_metadata", view=text),
)

VOLUME_ACTIONS = (
    Route("POST", _ACTION, volume_actions.attach, f"{_VA}attach", volume_bodies.ATTACH, None, 202,
          action="os-attach"),
    Route("POST", _ACTION, volume_actions.detach, f"{_VA}detach", volume_bodies.DETACH, None, 202,
          action="os-detach"),
    Route("POST", _ACTION, volume_actions.reserve, f"{_VA}reserve", volume_bodies.RESERVE, None, 202,
          action="os-reserve"),
    Route("POST", _ACTION, volume_actions.unreserve, f"{_VA}unreserve", volume_bodies.UNRESERVE, None, 202,
          action="os-unreserve"),
    Route("POST", _ACTION, volume_actions.begin_detaching, f"{_VA}begin_detaching", volume_bodies.BEGIN_DETACHING,
          None, 202, action="os-begin_detaching"),
    Route("POST", _ACTION, volume_actions.roll_detaching, f"{_VA}roll_detaching", volume_bodies.ROLL_DETACHING,
          None, 202, action="os-roll_detaching"),
    Route("POST", _ACTION, volume_actions.initialize_connection, f"{_VA}initialize_connection",
          volume_bodies.INITIALIZE, plain, action="os-initialize_connection"),
    Route("POST", _ACTION, volume_actions.terminate_connection, f"{_VA}terminate_connection",
          volume_bodies.TERMINATE, None, 202, action="os-terminate_connection"),
    Route("POST", _ACTION, volume_actions.force_detach, f"{_VAA}force_detach", volume_bodies.FORCE_DETACH, None, 202,
          action="os-force_detach"),
    Route("POST", _ACTION, volume_actions.extend, "volume:extend", volume_bodies.EXTEND, None, 202,
          action="os-extend"),
    Route("POST", _ACTION, volume_actions.revert, "volume:revert_to_snapshot", volume_bodies.REVERT, None, 202,
          since="3.40", action="revert"),
    Route("POST", _ACTION, volume_actions.retype, "volume:retype", volume_bodies.RETYPE, None, 202,
          action="os-retype"),
    Route("POST", _ACTION, volume_actions.migrate, f"{_VAA}migrate_volume", volume_bodies.MIGRATE, None, 202,
          action="os-migrate_volume"),
    Route("POST", _ACTION, volume_actions.complete_migration, f"{_VAA}migrate_volume_completion",
          volume_bodies.MIGRATION_COMPLETION, plain, action="os-migrate_volume_completion"),
    Route("POST", _ACTION, volume_actions.complete_extend, f"{_VAA}extend_volume_completion",
          volume_bodies.EXTEND_COMPLETION, None, 202, since="3.71", action="os-extend_volume_completion"),
    Route("POST", _ACTION, manageable.unmanage_volume, "volume_extension:volume_unmanage", manageable_bodies.UNMANAGE,
          None, 202, action="os-unmanage"),
    Route("POST", _ACTION, volume_actions.upload_image, f"{_VA}upload_image", volume_bodies.UPLOAD_IMAGE, plain, 202,
          action="os-volume_upload_image"),
    Route("POST", _ACTION, volume_actions.reimage, "volume:reimage", volume_bodies.REIMAGE, None, 202,
          since="3.68", action="os-reimage"),
    Route("POST", _ACTION, volume_actions.update_readonly_flag, "volume:update", volume_bodies.READONLY, None, 202,
          action="os-update_readonly_flag"),
    Route("POST", _ACTION, volume_actions.set_bootable, "volume:update", volume_bodies.BOOTABLE, None, 200,
          action="os-set_bootable"),
    Route("POST", _ACTION, volume_actions.reset_status, f"{_VAA}reset_status", volume_bodies.RESET_STATUS, None, 202,
          action="os-reset_status"),
    Route("POST", _ACTION, volume_actions.force_delete, f"{_VAA}force_delete", volume_bodies.FORCE_DELETE, None, 202,
          action="os-force_delete"),
    Route("POST", _ACTION, volume_actions.set_image_metadata, "volume_extension:volume_image_metadata:set",
          volume_bodies.SET_IMAGE_METADATA, plain, action="os-set_image_metadata"),
    Route("POST", _ACTION, volume_actions.show_image_metadata, "volume_extension:volume_image_metadata:show",
          volume_bodies.SHOW_IMAGE_METADATA, plain, action="os-show_image_metadata"),
    Route("POST", _ACTION, volume_actions.unset_image_metadata, "volume_extension:volume_image_metadata:remove",
          volume_bodies.UNSET_IMAGE_METADATA, None, 200, action="os-unset_image_metadata"),
)

_SNAPSHOT = "/snapshots/{snapshot_id}"
_SNAPSHOT_METADATA, _SAA = "volume:update_snapshot_metadata", "volume_extension:snapshot_admin_actions:"

SNAPSHOTS = (
    Route("POST", "/snapshots", snapshots.create, "volume:create_snapshot", snapshot_bodies.CREATE,
          One("snapshot", snapshot_views.DETAIL), 202),
    Route("GET", "/snapshots", snapshots.index, "volume:get_all_snapshots",
          view=Many("snapshots", snapshot_views.SUMMARY, "snapshots_links")),
    Route("GET", "/snapshots/detail", snapshots.index, "volume:get_all_snapshots",
          view=Many("snapshots", snapshot_views.WHOLE, "snapshots_links")),
    Route("GET", _SNAPSHOT, snapshots.show, "volume:get_snapshot", view=One("snapshot", snapshot_views.WHOLE)),
    Route("PUT", _SNAPSHOT, snapshots.update, "volume:update_snapshot", snapshot_bodies.UPDATE,
          One("snapshot", snapshot_views.DETAIL)),
    Route("DELETE", _SNAPSHOT, snapshots.delete, "volume:delete_snapshot", status=202),
    Route("GET", f"{_SNAPSHOT}/metadata", snapshots.show_metadata, "volume:get_snapshot_metadata", view=plain),
    Route("POST", f"{_SNAPSHOT}/metadata", snapshots.add_metadata, _SNAPSHOT_METADATA, snapshot_bodies.SET_METADATA,
          plain),
    Route("PUT", f"{_SNAPSHOT}/metadata", snapshots.replace_metadata, _SNAPSHOT_METADATA, snapshot_bodies.SET_METADATA,
          plain),
    Route("GET", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.show_meta, "volume:get_snapshot_metadata", view=plain),
    Route("PUT", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.set_meta, _SNAPSHOT_METADATA, snapshot_bodies.SET_META,
          plain),
    Route("DELETE", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.delete_meta, "volume:delete_snapshot_metadata"),
    Route("POST", f"{_SNAPSHOT}/action", snapshots.reset_status, f"{_SAA}reset_status",
          snapshot_bodies.RESET_STATUS, None, 202, action="os-reset_status"),
    Route("POST", f"{_SNAPSHOT}/action", snapshots.force_delete, f"{_SAA}force_delete",
          snapshot_bodies.FORCE_DELETE, None, 202, action="os-force_delete"),
    Route("POST", f"{_SNAPSHOT}/action", manageable.unmanage_snapshot, "snapshot_extension:snapshot_unmanage",
          manageable_bodies.UNMANAGE, None, 202, action="os-unmanage"),
    Route("POST", f"{_SNAPSHOT}/action", snapshots.update_status,
          "snapshot_extension:snapshot_actions:update_snapshot_status", snapshot_bodies.UPDATE_STATUS, None, 202,
          action="os-update_snapshot_status"),
)

_VM, _SN = "volume_extension:", "snapshot_extension:"


def _manageable(volumes_at: str, snapshots_at: str, since: str) -> Iterator[Route]:
    """The operations of one pair of paths."""
    one, many = manageable_views, "manageable-volumes"
    yield Route("POST", volumes_at, manageable.manage_volume, f"{_VM}volume_manage", manageable_bodies.VOLUME,
                One("volume", volume_views.DETAIL), 202, since)
    for path, view in ((volumes_at, one.VOLUME), (f"{volumes_at}/detail", one.VOLUME_DETAIL)):
        yield Route("GET", path, manageable.list_volumes, f"{_VM}list_manageable", view=Many(many, view), since=since)
    yield Route("POST", snapshots_at, manageable.manage_snapshot, f"{_SN}snapshot_manage", manageable_bodies.SNAPSHOT,
                One("snapshot", snapshot_views.DETAIL), 202, since)
    for path, view in ((snapshots_at, one.SNAPSHOT), (f"{snapshots_at}/detail", one.SNAPSHOT_DETAIL)):
        yield Route("GET", path, manageable.list_snapshots, f"{_SN}list_manageable",
                    view=Many("manageable-snapshots", view), since=since)


MANAGEABLE = (*_manageable("/manageable_volumes", "/manageable_snapshots", "3.8"),
              *_manageable("/os-volume-manage", "/os-snapshot-manage", "3.0"))


def _transfers(path: str, create: Handler, body: Schema, index: Handler) -> Iterator[Route]:
    """The operations of one of the paths."""
    one, views = f"{path}/{{transfer_id}}", transfer_views
    yield Route("GET", path, index, "volume:get_all_transfers",
                view=Many("transfers", views.SUMMARY, "transfers_links"))
    yield Route("GET", f"{path}/detail", index, "volume:get_all_transfers",
                view=Many("transfers", views.DETAIL, "transfers_links"))
    yield Route("POST", path, create, "volume:create_transfer", body, One("transfer", views.CREATED), 202)
    yield Route("GET", one, transfers.show, "volume:get_transfer", view=One("transfer", views.DETAIL))
    yield Route("DELETE", one, transfers.delete, "volume:delete_transfer", status=202)
    yield Route("POST", f"{one}/accept", transfers.accept, "volume:accept_transfer", transfer_bodies.ACCEPT,
                One("transfer", views.SUMMARY), 202)


TRANSFERS = (*_transfers("/volume-transfers", transfers.create, transfer_bodies.CREATE, transfers.index),
             *_transfers("/os-volume-transfer", transfers.create_formerly, transfer_bodies.CREATE_FORMERLY,
                         transfers.index_formerly))

_ATTACHMENT = "/attachments/{attachment_id}"

ATTACHMENTS = (
    Route("GET", "/attachments", attachments.index, "volume:get", view=Many("attachments", attachment_views.SUMMARY),
          since="3.27"),
    Route("GET", "/attachments/detail", attachments.index, "volume:get",
          view=Many("attachments", attachment_views.LISTED), since="3.27"),
    Route("POST", "/attachments", attachments.create, "volume:attachment_create", attachment_bodies.CREATE,
          One("attachment", attachment_views.DETAIL), since="3.27"),
    Route("GET", _ATTACHMENT, attachments.show, "volume:get", view=One("attachment", attachment_views.DETAIL),
          since="3.27"),
    Route("PUT", _ATTACHMENT, attachments.update, "volume:attachment_update", attachment_bodies.UPDATE,
          One("attachment", attachment_views.DETAIL), since="3.27"),
    Route("DELETE", _ATTACHMENT, attachments.delete, "volume:attachment_delete",
          view=Many("attachments", attachment_views.SUMMARY), since="3.27"),
    Route("POST", f"{_ATTACHMENT}/action", attachments.complete, "volume:attachment_complete",
          attachment_bodies.COMPLETE, None, 204, since="3.44", action="os-complete"),
)

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
    Route("POST", f"{_BACKUP}/action", backups.reset_status, f"{_BAA}reset_status", backup_bodies.RESET_STATUS, None,
          202, action="os-reset_status"),
    Route("POST", f"{_BACKUP}/action", backups.force_delete, f"{_BAA}force_delete", backup_bodies.FORCE_DELETE, None,
          202, action="os-force_delete"),
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
    Route("POST", f"{_TYPE}/action", types.add_access, f"{_ACCESS}addProjectAccess", type_bodies.ADD_ACCESS, None, 202,
          action="addProjectAccess"),
    Route("POST", f"{_TYPE}/action", types.remove_access, f"{_ACCESS}removeProjectAccess", type_bodies.REMOVE_ACCESS,
          None, 202, action="removeProjectAccess"),
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
    Route("GET", "/clusters", hosts.list_clusters, "clusters:get_all", view=plain, since="3.7"),
    Route("GET", "/clusters/detail", hosts.list_clusters, "clusters:get_all", view=plain, since="3.7"),
    Route("GET", "/clusters/{name}", hosts.show_cluster, "clusters:get", view=plain, since="3.7"),
    Route("PUT", "/clusters/enable", hosts.switch_cluster, "clusters:update", service_bodies.ENABLE_CLUSTER, plain,
          since="3.7"),
    Route("PUT", "/clusters/disable", hosts.switch_cluster, "clusters:update", service_bodies.DISABLE_CLUSTER, plain,
          since="3.7"),
    Route("POST", "/workers/cleanup", hosts.clean_up, "workers:cleanup", service_bodies.CLEAN_UP, plain, 202, "3.24"),
    Route("GET", "/os-availability-zone", services.zones, None, view=plain),
    Route("GET", "/scheduler-stats/get_pools", services.get_pools, "scheduler_extension:scheduler_stats:get_pools",
          view=Many("pools", service_views.POOL)),
    Route("GET", "/capabilities/{host}", services.capabilities, "volume_extension:capabilities", view=plain),
)

_GROUP, _GROUP_SNAPSHOT = "/groups/{group_id}", "/group_snapshots/{group_snapshot_id}"
_GROUP_TYPE = "/group_types/{group_type_id}"
_GROUP_ACTION = f"{_GROUP}/action"
_GROUP_SPECS, _GROUP_SPEC = f"{_GROUP_TYPE}/group_specs", f"{_GROUP_TYPE}/group_specs/{{key}}"
_GT, _GS = "group:group_types:", "group:group_types_specs:"

GROUPS = (
    Route("GET", "/groups", groups.index, "group:get_all",
          view=Many("groups", group_views.GROUP_SUMMARY, "group_links"), since="3.13"),
    Route("GET", "/groups/detail", groups.index, "group:get_all", view=Many("groups", group_views.GROUP, "group_links"),
          since="3.13"),
    Route("POST", "/groups", groups.create, "group:create", group_bodies.CREATE,
          One("group", group_views.GROUP_SUMMARY), 202, "3.13"),
    Route("GET", _GROUP, groups.show, "group:get", view=One("group", group_views.GROUP), since="3.13"),
    Route("PUT", _GROUP, groups.update, "group:update", group_bodies.UPDATE, None, 202, "3.13"),
    Route("POST", _GROUP_ACTION, groups.delete, "group:delete", group_bodies.DELETE, None, 202, "3.13",
          action="delete"),
    Route("POST", "/groups/action", groups.create_from, "group:create", group_bodies.CREATE_FROM,
          One("group", group_views.GROUP_SUMMARY), 202, "3.14", action="create-from-src"),
    Route("POST", _GROUP_ACTION, groups.reset_status, "group:reset_status", group_bodies.RESET, None, 202, "3.20",
          action="reset_status"),
    Route("POST", _GROUP_ACTION, groups.replicate, "group:enable_replication", group_bodies.ENABLE_REPLICATION, None,
          202, "3.38", action="enable_replication"),
    Route("POST", _GROUP_ACTION, groups.replicate, "group:disable_replication", group_bodies.DISABLE_REPLICATION, None,
          202, "3.38", action="disable_replication"),
    Route("POST", _GROUP_ACTION, groups.replicate, "group:failover_replication", group_bodies.FAILOVER, None, 202,
          "3.38", action="failover_replication"),
    Route("POST", _GROUP_ACTION, groups.list_targets, "group:list_replication_targets", group_bodies.LIST_TARGETS,
          plain, since="3.38", action="list_replication_targets"),
)

GROUP_SNAPSHOTS = (
    Route("GET", "/group_snapshots", groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("group_snapshots", group_views.SNAPSHOT_SUMMARY, "group_snapshot_links"), since="3.14"),
    Route("GET", "/group_snapshots/detail", groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("group_snapshots", group_views.SNAPSHOT, "group_snapshot_links"), since="3.14"),
    Route("POST", "/group_snapshots", groups.create_snapshot, "group:create_group_snapshot", group_bodies.SNAPSHOT,
          One("group_snapshot", group_views.SNAPSHOT_CREATED), 202, "3.14"),
    Route("GET", _GROUP_SNAPSHOT, groups.show_snapshot, "group:get_group_snapshot",
          view=One("group_snapshot", group_views.SNAPSHOT), since="3.14"),
    Route("DELETE", _GROUP_SNAPSHOT, groups.delete_snapshot, "group:delete_group_snapshot", status=202, since="3.14"),
    Route("POST", f"{_GROUP_SNAPSHOT}/action", groups.reset_snapshot_status, "group:reset_group_snapshot_status",
          group_bodies.RESET, None, 202, "3.19", action="reset_status"),
)

GROUP_TYPES = (
    Route("GET", "/group_types", group_types.index, f"{_GT}get_all",
          view=Many("group_types", group_views.TYPE, "group_type_links"), since="3.11"),
    Route("POST", "/group_types", group_types.create, f"{_GT}create", group_bodies.CREATE_TYPE,
          One("group_type", group_views.TYPE), 202, "3.11"),
    Route("GET", _GROUP_TYPE, group_types.show, f"{_GT}get", view=One("group_type", group_views.TYPE), since="3.11"),
    Route("PUT", _GROUP_TYPE, group_types.update, f"{_GT}update", group_bodies.UPDATE_TYPE,
          One("group_type", group_views.TYPE), since="3.11"),
    Route("DELETE", _GROUP_TYPE, group_types.delete, f"{_GT}delete", status=202, since="3.11"),
    Route("GET", _GROUP_SPECS, group_types.list_specs, f"{_GS}get_all", view=plain, since="3.11"),
    Route("POST", _GROUP_SPECS, group_types.add_specs, f"{_GS}create", group_bodies.SET_SPECS, plain, 202, "3.11"),
    Route("GET", _GROUP_SPEC, group_types.show_spec, f"{_GS}get", view=plain, since="3.11"),
    Route("PUT", _GROUP_SPEC, group_types.set_spec, f"{_GS}update", group_bodies.SET_SPEC, plain, since="3.11"),
    Route("DELETE", _GROUP_SPEC, group_types.delete_spec, f"{_GS}delete", status=202, since="3.11"),
)

_CONSISTENCY_GROUP, _CGSNAPSHOT = "/consistencygroups/{group_id}", "/cgsnapshots/{group_snapshot_id}"

CONSISTENCY_GROUPS = (
    Route("GET", "/consistencygroups", consistency_groups.index, "group:get_all",
          view=Many("consistencygroups", group_views.GROUP_SUMMARY, "consistencygroup_links")),
    Route("GET", "/consistencygroups/detail", consistency_groups.index, "group:get_all",
          view=Many("consistencygroups", group_views.CONSISTENCY_GROUP, "consistencygroup_links")),
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
    Route("GET", "/cgsnapshots", consistency_groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("cgsnapshots", group_views.SNAPSHOT_SUMMARY)),
    Route("GET", "/cgsnapshots/detail", consistency_groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("cgsnapshots", group_views.CGSNAPSHOT)),
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
