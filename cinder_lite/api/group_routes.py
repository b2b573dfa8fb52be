"""The operations of groups, their snapshots and types, and of the legacy consistency groups, one row each."""

from cinder_lite.api import consistency_groups, group_types, groups
from cinder_lite.api.route import Many, One, Route, plain
from cinder_lite.api.schemas import groups as bodies
from cinder_lite.api.views import groups as views

_GROUP, _SNAPSHOT, _TYPE = "/groups/{group_id}", "/group_snapshots/{group_snapshot_id}", "/group_types/{group_type_id}"
_ACTION = f"{_GROUP}/action"
_SPECS, _ONE_SPEC = f"{_TYPE}/group_specs", f"{_TYPE}/group_specs/{{key}}"
_GT, _GS = "group:group_types:", "group:group_types_specs:"

GROUPS = (
    Route("GET", "/groups", groups.index, "group:get_all", view=Many("groups", views.GROUP_SUMMARY, "group_links"),
          since="3.13"),
    Route("GET", "/groups/detail", groups.index, "group:get_all", view=Many("groups", views.GROUP, "group_links"),
          since="3.13"),
    Route("POST", "/groups", groups.create, "group:create", bodies.CREATE, One("group", views.GROUP_SUMMARY), 202,
          "3.13"),
    Route("GET", _GROUP, groups.show, "group:get", view=One("group", views.GROUP), since="3.13"),
    Route("PUT", _GROUP, groups.update, "group:update", bodies.UPDATE, None, 202, "3.13"),
    Route("POST", _ACTION, groups.delete, "group:delete", bodies.DELETE, None, 202, "3.13", action="delete"),
    Route("POST", "/groups/action", groups.create_from, "group:create", bodies.CREATE_FROM,
          One("group", views.GROUP_SUMMARY), 202, "3.14", action="create-from-src"),
    Route("POST", _ACTION, groups.reset_status, "group:reset_status", bodies.RESET, None, 202, "3.20",
          action="reset_status"),
    Route("POST", _ACTION, groups.replicate, "group:enable_replication", bodies.ENABLE_REPLICATION, None, 202, "3.38",
          action="enable_replication"),
    Route("POST", _ACTION, groups.replicate, "group:disable_replication", bodies.DISABLE_REPLICATION, None, 202,
          "3.38", action="disable_replication"),
    Route("POST", _ACTION, groups.replicate, "group:failover_replication", bodies.FAILOVER, None, 202, "3.38",
          action="failover_replication"),
    Route("POST", _ACTION, groups.list_targets, "group:list_replication_targets", bodies.LIST_TARGETS, plain,
          since="3.38", action="list_replication_targets"),
)

GROUP_SNAPSHOTS = (
    Route("GET", "/group_snapshots", groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("group_snapshots", views.SNAPSHOT_SUMMARY, "group_snapshot_links"), since="3.14"),
    Route("GET", "/group_snapshots/detail", groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("group_snapshots", views.SNAPSHOT, "group_snapshot_links"), since="3.14"),
    Route("POST", "/group_snapshots", groups.create_snapshot, "group:create_group_snapshot", bodies.SNAPSHOT,
          One("group_snapshot", views.SNAPSHOT_CREATED), 202, "3.14"),
    Route("GET", _SNAPSHOT, groups.show_snapshot, "group:get_group_snapshot",
          view=One("group_snapshot", views.SNAPSHOT), since="3.14"),
    Route("DELETE", _SNAPSHOT, groups.delete_snapshot, "group:delete_group_snapshot", status=202, since="3.14"),
    Route("POST", f"{_SNAPSHOT}/action", groups.reset_snapshot_status, "group:reset_group_snapshot_status",
          bodies.RESET, None, 202, "3.19", action="reset_status"),
)

GROUP_TYPES = (
    Route("GET", "/group_types", group_types.index, f"{_GT}get_all",
          view=Many("group_types", views.TYPE, "group_type_links"), since="3.11"),
    Route("POST", "/group_types", group_types.create, f"{_GT}create", bodies.CREATE_TYPE,
          One("group_type", views.TYPE), 202, "3.11"),
    Route("GET", _TYPE, group_types.show, f"{_GT}get", view=One("group_type", views.TYPE), since="3.11"),
    Route("PUT", _TYPE, group_types.update, f"{_GT}update", bodies.UPDATE_TYPE, One("group_type", views.TYPE),
          since="3.11"),
    Route("DELETE", _TYPE, group_types.delete, f"{_GT}delete", status=202, since="3.11"),
    Route("GET", _SPECS, group_types.list_specs, f"{_GS}get_all", view=plain, since="3.11"),
    Route("POST", _SPECS, group_types.add_specs, f"{_GS}create", bodies.SET_SPECS, plain, 202, "3.11"),
    Route("GET", _ONE_SPEC, group_types.show_spec, f"{_GS}get", view=plain, since="3.11"),
    Route("PUT", _ONE_SPEC, group_types.set_spec, f"{_GS}update", bodies.SET_SPEC, plain, since="3.11"),
    Route("DELETE", _ONE_SPEC, group_types.delete_spec, f"{_GS}delete", status=202, since="3.11"),
)

_LEGACY, _CGSNAPSHOT = "/consistencygroups/{group_id}", "/cgsnapshots/{group_snapshot_id}"

LEGACY = (
    Route("GET", "/consistencygroups", consistency_groups.index, "group:get_all",
          view=Many("consistencygroups", views.GROUP_SUMMARY, "consistencygroup_links")),
    Route("GET", "/consistencygroups/detail", consistency_groups.index, "group:get_all",
          view=Many("consistencygroups", views.CONSISTENCY_GROUP, "consistencygroup_links")),
    Route("POST", "/consistencygroups", consistency_groups.create, "group:create", bodies.CREATE_LEGACY,
          One("consistencygroup", views.GROUP_SUMMARY), 202),
    Route("POST", "/consistencygroups/create_from_src", consistency_groups.create_from, "group:create",
          bodies.CREATE_LEGACY_FROM, One("consistencygroup", views.GROUP_SUMMARY), 202),
    Route("GET", _LEGACY, consistency_groups.show, "group:get", view=One("consistencygroup", views.CONSISTENCY_GROUP)),
    Route("PUT", f"{_LEGACY}/update", consistency_groups.update, "group:update", bodies.UPDATE_LEGACY, None, 202),
    Route("PUT", _LEGACY, consistency_groups.update, "group:update", bodies.UPDATE_LEGACY, None, 202),
    Route("POST", f"{_LEGACY}/delete", consistency_groups.delete, "group:delete", status=202),
    Route("DELETE", _LEGACY, consistency_groups.delete, "group:delete", status=202),
    Route("GET", "/cgsnapshots", consistency_groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("cgsnapshots", views.SNAPSHOT_SUMMARY)),
    Route("GET", "/cgsnapshots/detail", consistency_groups.list_snapshots, "group:get_all_group_snapshots",
          view=Many("cgsnapshots", views.CGSNAPSHOT)),
    Route("POST", "/cgsnapshots", consistency_groups.create_snapshot, "group:create_group_snapshot",
          bodies.CGSNAPSHOT, One("cgsnapshot", views.SNAPSHOT_SUMMARY), 202),
    Route("GET", _CGSNAPSHOT, consistency_groups.show_snapshot, "group:get_group_snapshot",
          view=One("cgsnapshot", views.CGSNAPSHOT)),
    Route("DELETE", _CGSNAPSHOT, consistency_groups.delete_snapshot, "group:delete_group_snapshot", status=202),
)

ROUTES = (*GROUPS, *GROUP_SNAPSHOTS, *GROUP_TYPES, *LEGACY)
