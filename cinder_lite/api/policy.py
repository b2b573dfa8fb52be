"""Who may do what: rules by Cinder's names, as oslo.policy reads them."""

from oslo_policy import policy

from cinder_lite import errors

READER = "(role:reader and project_id:%(project_id)s) or rule:context_is_admin"
MEMBER = "(role:member and project_id:%(project_id)s) or rule:context_is_admin"
ADMIN = "rule:context_is_admin"
ANYONE = ""

#: rule -> (who may, what it guards)
RULES = {
    "context_is_admin": ("role:admin", "Who is an administrator."),
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
    "volume:revert_to_snapshot": (MEMBER, "Set a volume back to its newest snapshot."),
    "volume:retype": (MEMBER, "Give a volume another type."),
    "volume_extension:volume_admin_actions:migrate_volume": (ADMIN, "Give a volume another place."),
    "volume_extension:volume_manage": (ADMIN, "Take over volumes that lie on a backend."),
    "volume_extension:volume_unmanage": (ADMIN, "Forget a volume and leave its data."),
    "volume_extension:list_manageable": (ADMIN, "List the volumes on a backend."),
    "snapshot_extension:snapshot_manage": (ADMIN, "Take over snapshots that lie on a backend."),
    "snapshot_extension:snapshot_unmanage": (ADMIN, "Forget a snapshot and leave its data."),
    "snapshot_extension:list_manageable": (ADMIN, "List the snapshots on a backend."),
    "volume_extension:volume_admin_actions:migrate_volume_completion": (ADMIN, "Say that a migration was copied."),
    "volume_extension:volume_admin_actions:extend_volume_completion": (ADMIN, "Say that a server has seen an extend."),
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
    "volume_extension:volume_actions:roll_detaching": (MEMBER, "Take back the detaching of a volume."),
    "volume_extension:volume_actions:initialize_connection": (MEMBER, "Connect a host to a volume."),
    "volume_extension:volume_actions:terminate_connection": (MEMBER, "Disconnect a host from a volume."),
    "volume_extension:volume_actions:upload_image": (MEMBER, "Make an image of a volume."),
    "volume_extension:volume_actions:upload_public": (ADMIN, "Make an image of a volume that everybody sees."),
    "volume:reimage": (MEMBER, "Write an image over a volume."),
    "volume:reimage_reserved": (MEMBER, "Write an image over a volume that is reserved for a server."),
    "volume_extension:volume_admin_actions:reset_status": (ADMIN, "Set a volume's status by hand."),
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
    "volume_extension:snapshot_admin_actions:reset_status": (ADMIN, "Set a snapshot's status by hand."),
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
    "volume_extension:backup_admin_actions:reset_status": (ADMIN, "Set a backup's status by hand."),
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
    "volume_extension:volume_type_encryption:create": (ADMIN, "Let a type's volumes be encrypted."),
    "volume_extension:volume_type_encryption:update": (ADMIN, "Change how a type's volumes are encrypted."),
    "volume_extension:volume_type_encryption:delete": (ADMIN, "Let a type's volumes be encrypted no more."),
    "volume_extension:qos_specs_manage:get_all": (ADMIN, "List QoS specs, or what one is associated with."),
    "volume_extension:qos_specs_manage:get": (ADMIN, "Show a QoS spec."),
    "volume_extension:qos_specs_manage:create": (ADMIN, "Create a QoS spec."),
    "volume_extension:qos_specs_manage:update": (ADMIN, "Change a QoS spec, or what it is associated with."),
    "volume_extension:qos_specs_manage:delete": (ADMIN, "Delete a QoS spec, or keys of it."),
    "volume_extension:volume_type_access": (MEMBER, "See whether a type is public."),
    "volume_extension:volume_type_access:get_all_for_type": (ADMIN, "List the projects that share a type."),
    "volume_extension:volume_type_access:addProjectAccess": (ADMIN, "Share a type with a project."),
    "volume_extension:volume_type_access:removeProjectAccess": (ADMIN, "Stop sharing a type with a project."),
    "volume_extension:default_set_or_update": (ADMIN, "Set a project's default type."),
    "volume_extension:default_get": (ADMIN, "Show a project's default type."),
    "volume_extension:default_get_all": (ADMIN, "List the projects' default types."),
    "volume_extension:default_unset": (ADMIN, "Unset a project's default type."),
    "volume_extension:quotas:show": (READER, "Show a project's quota."),
    "volume_extension:quotas:update": (ADMIN, "Set a project's quota."),
    "volume_extension:quotas:delete": (ADMIN, "Give a project the default quota."),
    "volume_extension:quota_classes:get": (ADMIN, "Show a quota class."),
    "volume_extension:quota_classes:update": (ADMIN, "Set a quota class."),
    "limits_extension:used_limits": (READER, "See what a project uses."),
    "volume_extension:services:index": (ADMIN, "List services."),
    "volume_extension:services:update": (ADMIN, "Switch services on and off."),
    "volume:freeze_host": (ADMIN, "Freeze a backend."),
    "volume:thaw_host": (ADMIN, "Thaw a backend."),
    "volume:failover_host": (ADMIN, "Fail a backend over."),
    "volume_extension:hosts": (ADMIN, "See hosts, and switch them on and off."),
    "clusters:get_all": (ADMIN, "List clusters."),
    "clusters:get": (ADMIN, "Show a cluster."),
    "clusters:update": (ADMIN, "Switch clusters on and off."),
    "workers:cleanup": (ADMIN, "See who takes up what a service left."),
    "scheduler_extension:scheduler_stats:get_pools": (ADMIN, "List pools."),
    "volume_extension:capabilities": (ADMIN, "Show a backend's capabilities."),
    "volume:create_transfer": (MEMBER, "Offer a volume to another project."),
    "volume:get_transfer": (READER, "Show a transfer."),
    "volume:get_all_transfers": (READER, "List transfers."),
    "volume:delete_transfer": (MEMBER, "Take back the offer of a volume."),
    "volume:accept_transfer": (MEMBER, "Accept a volume of another project."),
    "group:create": (MEMBER, "Create a group."),
    "group:get": (READER, "Show a group."),
    "group:get_all": (READER, "List groups."),
    "group:update": (MEMBER, "Rename a group, let volumes join and leave."),
    "group:delete": (MEMBER, "Delete a group."),
    "group:reset_status": (ADMIN, "Set a group's status by hand."),
    "group:enable_replication": (MEMBER, "Replicate a group."),
    "group:disable_replication": (MEMBER, "Stop replicating a group."),
    "group:failover_replication": (MEMBER, "Fail a group over."),
    "group:list_replication_targets": (MEMBER, "See where a group can fail over to."),
    "group:group_project_attribute": (ADMIN, "See a group's project."),
    "group:create_group_snapshot": (MEMBER, "Create a group snapshot."),
    "group:get_group_snapshot": (READER, "Show a group snapshot."),
    "group:get_all_group_snapshots": (READER, "List group snapshots."),
    "group:delete_group_snapshot": (MEMBER, "Delete a group snapshot."),
    "group:reset_group_snapshot_status": (ADMIN, "Set a group snapshot's status by hand."),
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
    "cinder_lite:health": (ADMIN, "See how the services, the database and the broker do."),
    "cinder_lite:jobs": (READER, "See what runs for a project, how far it is and why it failed."),
}


def list_rules():
    """The rules with their defaults, for oslo.policy's tools."""
    return [policy.RuleDefault(name, check, description) for name, (check, description) in RULES.items()]


def is_for_administrators(rule):
    """Whether only administrators may do by default what the rule guards."""
    return rule is not None and RULES[rule][0] == ADMIN


class Policy:
    """Decides by the rules and by the operator's policy file. Answers are remembered until the file is read again."""

    MOST = 20000

    def __init__(self, conf):
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        self._known = {}
        self._load()

    def _load(self, again=False):
        try:
            self._enforcer.load_rules(force_reload=again)
        except (ValueError, TypeError, AttributeError, OSError) as error:
            # oslo.policy looks at no type of what stands in the file.
            raise errors.Misconfigured(f"the policy file is not one: {error}") from error

    def reload(self):
        """Read the policy file again; Misconfigured, and the former rules hold, when it cannot be used."""
        self._load(again=True)
        self._known.clear()

    def allows(self, ctx, rule, project_id):
        """Whether the asker may do what the rule guards on a resource of that project."""
        key = (rule, project_id, ctx.project_id, ctx.user_id, tuple(ctx.roles or ()), ctx.system_scope,
               tuple(ctx.service_roles or ()))
        known = self._known.get(key)
        if known is None:
            if len(self._known) > self.MOST:
                self._known.clear()
            known = self._known[key] = self._ask(ctx, rule, project_id)
        return known

    def is_administrator(self, ctx):
        """Whether the rules make the asker an administrator."""
        return self.allows(ctx, "context_is_admin", ctx.project_id)

    def _ask(self, ctx, rule, project_id):
        if rule not in RULES:
            raise KeyError(f"no policy rule {rule}")
        credentials = {"user_id": ctx.user_id, "project_id": ctx.project_id, "roles": list(ctx.roles or ()),
                       "system_scope": ctx.system_scope, "service_roles": list(ctx.service_roles or ())}
        return bool(self._enforcer.enforce(rule, {"project_id": project_id, "user_id": ctx.user_id}, credentials))
