"""Defines the policy rules by Cinder's names, with their defaults."""

import functools

from oslo_policy import policy

from cinder_lite import errors
from cinder_lite.conf import plugins

READER = "(role:reader and project_id:%(project_id)s) or rule:context_is_admin"
MEMBER = "(role:member and project_id:%(project_id)s) or rule:context_is_admin"
ADMIN = "rule:context_is_admin"

#: Entry points that lead to dicts like RULES.
NAMESPACE = "cinder_lite.policies"
#: rule -> (default check, description)
RULES: dict[str, tuple[str, str]] = {
    "context_is_admin": ("role:admin", "Act as an administrator."),
    "volume:get": (READER, "Show a volume."),
    "volume:get_all": (READER, "List volumes."),
    "volume:create": (MEMBER, "Create a volume."),
    "volume:update": (MEMBER, "Rename a volume, or make it bootable."),
    "volume:delete": (MEMBER, "Delete a volume."),
    "volume:force_delete": (ADMIN, "Delete a volume whatever its status."),
    "volume:get_volume_metadata": (READER, "Show a volume's metadata."),
    "volume:create_volume_metadata": (MEMBER, "Add to a volume's metadata."),
    "volume:update_volume_metadata": (MEMBER, "Replace a volume's metadata."),
    "volume:delete_volume_metadata": (MEMBER, "Remove a volume's metadata."),
    "volume:extend": (MEMBER, "Extend a volume."),
    "volume:extend_attached_volume": (MEMBER, "Extend a volume in use."),
    "volume:revert_to_snapshot": (MEMBER, "Revert a volume to its newest snapshot."),
    "volume:retype": (MEMBER, "Change a volume's type."),
    "volume_extension:volume_admin_actions:migrate_volume": (ADMIN, "Migrate a volume to another backend or pool."),
    "volume_extension:volume_manage": (ADMIN, "Manage existing volumes of a backend."),
    "volume_extension:volume_unmanage": (ADMIN, "Unmanage a volume: remove its record, and keep its data."),
    "volume_extension:list_manageable": (ADMIN, "List the volumes on a backend."),
    "snapshot_extension:snapshot_manage": (ADMIN, "Manage existing snapshots of a backend."),
    "snapshot_extension:snapshot_unmanage": (ADMIN, "Unmanage a snapshot: remove its record, and keep its data."),
    "snapshot_extension:list_manageable": (ADMIN, "List the snapshots on a backend."),
    "volume_extension:volume_admin_actions:migrate_volume_completion": (
        ADMIN, "Report that the data of a migration has been copied."),
    "volume_extension:volume_admin_actions:extend_volume_completion": (
        ADMIN, "Report that a server has detected a volume's new size."),
    "volume:multiattach_bootable_volume": (MEMBER, "Attach a bootable volume a second time."),
    "volume_extension:volume_tenant_attribute": (READER, "See a volume's project."),
    "volume_extension:volume_host_attribute": (ADMIN, "See a volume's host."),
    "volume_extension:volume_mig_status_attribute": (ADMIN, "See a volume's migration."),
    "volume_extension:volume_image_metadata:show": (READER, "See a volume's image metadata."),
    "volume_extension:volume_image_metadata:set": (MEMBER, "Add to a volume's image metadata."),
    "volume_extension:volume_image_metadata:remove": (MEMBER, "Remove from a volume's image metadata."),
    "volume_extension:volume_encryption_metadata": (READER, "See a volume's encryption."),
    "volume_extension:volume_actions:attach": (MEMBER, "Record that a volume is attached."),
    "volume_extension:volume_actions:detach": (MEMBER, "Record that a volume is detached."),
    "volume_extension:volume_actions:reserve": (MEMBER, "Reserve a volume."),
    "volume_extension:volume_actions:unreserve": (MEMBER, "Release a reserved volume."),
    "volume_extension:volume_actions:begin_detaching": (MEMBER, "Begin to detach a volume."),
    "volume_extension:volume_actions:roll_detaching": (MEMBER, "Cancel the detaching of a volume."),
    "volume_extension:volume_actions:initialize_connection": (MEMBER, "Connect a host to a volume."),
    "volume_extension:volume_actions:terminate_connection": (MEMBER, "Disconnect a host from a volume."),
    "volume_extension:volume_actions:upload_image": (MEMBER, "Create an image from a volume."),
    "volume_extension:volume_actions:upload_public": (ADMIN, "Create a public image from a volume."),
    "volume:reimage": (MEMBER, "Rebuild a volume from an image."),
    "volume:reimage_reserved": (MEMBER, "Rebuild a volume that is reserved for a server from an image."),
    "volume_extension:volume_admin_actions:reset_status": (ADMIN, "Set a volume's status directly."),
    "volume_extension:volume_admin_actions:force_delete": (ADMIN, "Delete a volume by force."),
    "volume_extension:volume_admin_actions:force_detach": (ADMIN, "Detach a volume by force."),
    "volume:get_snapshot": (READER, "Show a snapshot."),
    "volume:get_all_snapshots": (READER, "List snapshots."),
    "volume:create_snapshot": (MEMBER, "Create a snapshot."),
    "volume:update_snapshot": (MEMBER, "Rename a snapshot."),
    "volume:delete_snapshot": (MEMBER, "Delete a snapshot."),
    "volume:get_snapshot_metadata": (READER, "Show a snapshot's metadata."),
    "volume:update_snapshot_metadata": (MEMBER, "Change a snapshot's metadata."),
    "volume:delete_snapshot_metadata": (MEMBER, "Remove a snapshot's metadata."),
    "volume_extension:extended_snapshot_attributes": (READER, "See a snapshot's project and progress."),
    "snapshot_extension:snapshot_actions:update_snapshot_status": (MEMBER, "Record a snapshot's status."),
    "volume_extension:snapshot_admin_actions:reset_status": (ADMIN, "Set a snapshot's status directly."),
    "volume_extension:snapshot_admin_actions:force_delete": (ADMIN, "Delete a snapshot by force."),
    "backup:get": (READER, "Show a backup."),
    "backup:get_all": (READER, "List backups."),
    "backup:create": (MEMBER, "Create a backup."),
    "backup:update": (MEMBER, "Rename a backup."),
    "backup:delete": (MEMBER, "Delete a backup."),
    "backup:restore": (MEMBER, "Restore a backup."),
    "backup:backup-import": (ADMIN, "Import a backup's record."),
    "backup:export-import": (ADMIN, "Export a backup's record."),
    "backup:backup_project_attribute": (ADMIN, "See a backup's project and user."),
    "volume_extension:backup_admin_actions:reset_status": (ADMIN, "Set a backup's status directly."),
    "volume_extension:backup_admin_actions:force_delete": (ADMIN, "Delete a backup by force."),
    "volume:attachment_create": (MEMBER, "Create an attachment."),
    "volume:attachment_update": (MEMBER, "Connect an attachment."),
    "volume:attachment_delete": (MEMBER, "Delete an attachment."),
    "volume:attachment_complete": (MEMBER, "Complete an attachment."),
    "volume_extension:type_get": (READER, "Show a volume type."),
    "volume_extension:type_get_all": (READER, "List volume types."),
    "volume_extension:type_create": (ADMIN, "Create a volume type."),
    "volume_extension:type_update": (ADMIN, "Change a volume type."),
    "volume_extension:type_delete": (ADMIN, "Delete a volume type."),
    "volume_extension:access_types_extra_specs": (READER, "See a type's extra specs that matter to users."),
    "volume_extension:access_types_qos_specs_id": (ADMIN, "See a type's QoS specs."),
    "volume_extension:types_extra_specs:read_sensitive": (ADMIN, "See all of a type's extra specs."),
    "volume_extension:types_extra_specs:index": (READER, "List a type's extra specs."),
    "volume_extension:types_extra_specs:show": (READER, "Show an extra spec."),
    "volume_extension:types_extra_specs:create": (ADMIN, "Add extra specs."),
    "volume_extension:types_extra_specs:update": (ADMIN, "Change an extra spec."),
    "volume_extension:types_extra_specs:delete": (ADMIN, "Remove an extra spec."),
    "volume_extension:volume_type_encryption:get": (ADMIN, "Show how a type's volumes are encrypted."),
    "volume_extension:volume_type_encryption:create": (ADMIN, "Encrypt the volumes of a type."),
    "volume_extension:volume_type_encryption:update": (ADMIN, "Change how a type's volumes are encrypted."),
    "volume_extension:volume_type_encryption:delete": (ADMIN, "Stop encrypting the volumes of a type."),
    "volume_extension:qos_specs_manage:get_all": (ADMIN, "List QoS specs, or the types associated with one."),
    "volume_extension:qos_specs_manage:get": (ADMIN, "Show a QoS spec."),
    "volume_extension:qos_specs_manage:create": (ADMIN, "Create a QoS spec."),
    "volume_extension:qos_specs_manage:update": (ADMIN, "Change a QoS spec or its associations."),
    "volume_extension:qos_specs_manage:delete": (ADMIN, "Delete a QoS spec, or keys of it."),
    "volume_extension:volume_type_access": (MEMBER, "See whether a type is public."),
    "volume_extension:volume_type_access:get_all_for_type": (ADMIN, "List the projects that have access to a type."),
    "volume_extension:volume_type_access:addProjectAccess": (ADMIN, "Give a project access to a type."),
    "volume_extension:volume_type_access:removeProjectAccess": (ADMIN, "Revoke a project's access to a type."),
    "volume_extension:default_set_or_update": (ADMIN, "Set a project's default type."),
    "volume_extension:default_get": (ADMIN, "Show a project's default type."),
    "volume_extension:default_get_all": (ADMIN, "List the projects' default types."),
    "volume_extension:default_unset": (ADMIN, "Unset a project's default type."),
    "volume_extension:quotas:show": (READER, "Show a project's quota."),
    "volume_extension:quotas:update": (ADMIN, "Set a project's quota."),
    "volume_extension:quotas:delete": (ADMIN, "Reset a project's quota to the default."),
    "volume_extension:quota_classes:get": (ADMIN, "Show a quota class."),
    "volume_extension:quota_classes:update": (ADMIN, "Set a quota class."),
    "limits_extension:used_limits": (READER, "See a project's usage."),
    "volume_extension:services:index": (ADMIN, "List services."),
    "volume_extension:services:update": (ADMIN, "Enable and disable services."),
    "volume:freeze_host": (ADMIN, "Freeze a backend."),
    "volume:thaw_host": (ADMIN, "Thaw a backend."),
    "volume:failover_host": (ADMIN, "Fail a backend over."),
    "volume_extension:hosts": (ADMIN, "See hosts, and enable and disable them."),
    "clusters:get_all": (ADMIN, "List clusters."),
    "clusters:get": (ADMIN, "Show a cluster."),
    "clusters:update": (ADMIN, "Enable and disable clusters."),
    "workers:cleanup": (ADMIN, "See which services resume the jobs of one that failed."),
    "scheduler_extension:scheduler_stats:get_pools": (ADMIN, "List pools."),
    "volume_extension:capabilities": (ADMIN, "Show a backend's capabilities."),
    "volume:create_transfer": (MEMBER, "Offer a volume to another project."),
    "volume:get_transfer": (READER, "Show a transfer."),
    "volume:get_all_transfers": (READER, "List transfers."),
    "volume:delete_transfer": (MEMBER, "Delete a transfer."),
    "volume:accept_transfer": (MEMBER, "Accept a volume of another project."),
    "group:create": (MEMBER, "Create a group."),
    "group:get": (READER, "Show a group."),
    "group:get_all": (READER, "List groups."),
    "group:update": (MEMBER, "Rename a group, add and remove volumes."),
    "group:delete": (MEMBER, "Delete a group."),
    "group:reset_status": (ADMIN, "Set a group's status directly."),
    "group:enable_replication": (MEMBER, "Replicate a group."),
    "group:disable_replication": (MEMBER, "Stop replicating a group."),
    "group:failover_replication": (MEMBER, "Fail a group over."),
    "group:list_replication_targets": (MEMBER, "List the replication targets of a group."),
    "group:group_project_attribute": (ADMIN, "See a group's project."),
    "group:create_group_snapshot": (MEMBER, "Create a group snapshot."),
    "group:get_group_snapshot": (READER, "Show a group snapshot."),
    "group:get_all_group_snapshots": (READER, "List group snapshots."),
    "group:delete_group_snapshot": (MEMBER, "Delete a group snapshot."),
    "group:reset_group_snapshot_status": (ADMIN, "Set a group snapshot's status directly."),
    "group:group_snapshot_project_attribute": (ADMIN, "See a group snapshot's project."),
    "group:group_types:get": (READER, "Show a group type."),
    "group:group_types:get_all": (READER, "List group types."),
    "group:group_types:create": (ADMIN, "Create a group type."),
    "group:group_types:update": (ADMIN, "Change a group type."),
    "group:group_types:delete": (ADMIN, "Delete a group type."),
    "group:access_group_types_specs": (ADMIN, "See a group type's specs."),
    "group:group_types_specs:get": (ADMIN, "Show a group spec."),
    "group:group_types_specs:get_all": (ADMIN, "List a group type's specs."),
    "group:group_types_specs:create": (ADMIN, "Add group specs."),
    "group:group_types_specs:update": (ADMIN, "Change a group spec."),
    "group:group_types_specs:delete": (ADMIN, "Remove a group spec."),
    "message:get": (READER, "Show a user message."),
    "message:get_all": (READER, "List user messages."),
    "message:delete": (MEMBER, "Delete a user message."),
    "cinder_lite:health": (ADMIN, "See the health of the services, the database and the broker."),
    "cinder_lite:jobs": (READER, "See a project's jobs with their progress and failures."),
}


@functools.cache
def rules() -> dict[str, tuple[str, str]]:
    """RULES and those that installed packages add, loaded once in a process. Raises Misconfigured for a repeated
    name."""
    found = dict(RULES)
    for name, added in plugins.every(NAMESPACE).items():
        repeated = sorted(found.keys() & added.keys())
        if repeated:
            raise errors.Misconfigured(f"{plugins.origin(NAMESPACE, name)} adds the policy {repeated[0]} once more")
        found |= added
    return found


def list_rules() -> list[policy.RuleDefault]:
    """The rules with their defaults, for oslo.policy's tools."""
    return [policy.RuleDefault(name, check, description) for name, (check, description) in rules().items()]


def is_for_administrators(rule: str | None) -> bool:
    """Whether the rule allows only administrators by default."""
    return rule is not None and rules()[rule][0] == ADMIN
