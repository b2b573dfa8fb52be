"""What answers look like, as JSON Schema: made from the views, and written down for what is answered as it stands."""

from cinder_lite.api.body import MOST, at
from cinder_lite.api.route import Many, One, View, text
from cinder_lite.api.views import backups, groups, qos, services, transfers, types, volumes

TEXT, COUNT, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0, "maximum": MOST}, {"type": "boolean"}
UUID = {"type": "string", "format": "uuid"}
TIME = {"type": "string", "description": "UTC, YYYY-MM-DDTHH:MM:SS.ffffff"}
NUMBER = {"type": ["number", "string", "null"]}


def maybe(schema):
    """The schema, or null."""
    return {**schema, "type": [*(schema["type"] if isinstance(schema["type"], list) else [schema["type"]]), "null"]}


def thing(properties, optional=()):
    """An object with these keys and no others; the names in `optional` may be missing."""
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": [name for name in properties if name not in optional]}


def listed(schema):
    return {"type": "array", "items": schema}


def known(properties, optional=(), of="The driver"):
    """An object with these keys and others, which are up to whoever is named."""
    return {**thing(properties, optional), "additionalProperties": True, "description": f"{of} adds keys of its own."}


PAIRS = {"type": "object", "additionalProperties": TEXT}
LOOSE_PAIRS = {"type": "object", "additionalProperties": maybe(TEXT)}
INTEGER, REAL = {"type": "integer"}, {"type": "number"}
LINKS = listed(thing({"rel": TEXT, "href": TEXT}))
_ATTACHED = thing({"id": UUID, "attachment_id": UUID, "volume_id": UUID, "server_id": maybe(TEXT),
                   "host_name": maybe(TEXT), "device": maybe(TEXT), "attached_at": maybe(TIME)})

#: What hosts are told for connecting; the first keys are the service's, what else there is depends on the protocol.
_CONNECTION = {
    "encrypted": FLAG, "access_mode": {"type": "string", "enum": ["rw", "ro"]}, "cacheable": FLAG,
    "qos_specs": maybe({"type": "object", "additionalProperties": {"type": ["string", "integer"]}}), "volume_id": UUID,
    "target_portal": TEXT, "target_iqn": TEXT, "target_lun": COUNT,
    "target_portals": listed(TEXT), "target_iqns": listed(TEXT), "target_luns": listed(COUNT), "target_discovered": FLAG,
    "auth_method": maybe(TEXT), "auth_username": maybe(TEXT), "auth_password": maybe(TEXT), "discard": FLAG,
    "name": TEXT, "hosts": listed(TEXT), "ports": listed(TEXT), "cluster_name": TEXT, "keyring": maybe(TEXT),
    "auth_enabled": FLAG, "secret_type": TEXT, "secret_uuid": maybe(TEXT)}
_ATTACHING = {"driver_volume_type": TEXT, "attachment_id": UUID, "enforce_multipath": FLAG, **_CONNECTION}
_DECISION = thing({
    "operation": TEXT, "size": INTEGER, "zones": listed(TEXT),
    "ranked": listed(thing({"pool": TEXT, "weight": REAL, "weighers": listed(known({}, of="Each weigher"))})),
    "refusals": listed(thing({"pool": TEXT, "filter": TEXT, "reason": TEXT})),
    "reasons": listed(TEXT), "waiting": thing({"since": TEXT, "seconds": COUNT})}, ("reasons", "waiting"))
_GIB = {"type": ["number", "string"], "description": "GiB, infinite or unknown"}
_POOL = known({
    "volume_backend_name": TEXT, "pool_name": TEXT, "vendor_name": TEXT, "driver_version": TEXT, "storage_protocol": TEXT,
    "total_capacity_gb": _GIB, "free_capacity_gb": _GIB, "provisioned_capacity_gb": REAL, "allocated_capacity_gb": INTEGER,
    "reserved_percentage": INTEGER, "max_over_subscription_ratio": {"type": ["number", "string"]},
    "thin_provisioning_support": FLAG, "thick_provisioning_support": FLAG, "multiattach": FLAG,
    "online_extend_support": FLAG, "total_volumes": COUNT, "backend_state": {"type": "string", "enum": ["up", "down"]},
    "timestamp": maybe(TIME)}, ("vendor_name", "driver_version", "storage_protocol"))

#: What a field of that name holds, whichever view it is in.
FIELDS = {
    **dict.fromkeys(("id", "volume_id", "group_type_id", "group_id_of_snapshot"), UUID),
    **dict.fromkeys((
        "snapshot_id", "source_volid", "consistencygroup_id", "group_id", "volume_type_id", "service_uuid",
        "group_snapshot_id", "source_group_id", "cinder_id", "resource_uuid", "encryption_key_id"), maybe(TEXT)),
    **dict.fromkeys(("created_at", "updated_at", "data_timestamp", "guaranteed_until", "finished_at"), maybe(TIME)),
    **dict.fromkeys(("attached_at", "detached_at", "attach_mode"), TEXT),
    **dict.fromkeys((
        "name", "description", "availability_zone", "volume_type", "replication_status", "migration_status", "provider_id",
        "cluster_name", "cluster", "user_id", "project_id", "os-vol-tenant-attr:tenant_id", "os-vol-host-attr:host",
        "os-vol-mig-status-attr:migstat", "os-vol-mig-status-attr:name_id", "disabled_reason", "active_backend_id",
        "os-extended-snapshot-attributes:project_id", "os-extended-snapshot-attributes:progress", "container",
        "fail_reason", "os-backup-project-attr:project_id", "instance", "request_id", "resource_type", "reason_not_safe",
        "source_project_id", "destination_project_id", "host", "owner", "error", "waits_for", "qos_specs_id"), maybe(TEXT)),
    **dict.fromkeys((
        "status", "binary", "zone", "state", "backend_state", "event_id", "user_message", "message_level", "kind",
        "action", "stage", "resource_id", "consumer", "auth_key"), TEXT),
    **dict.fromkeys(("size", "object_count", "attempt", "progress"), COUNT),
    **dict.fromkeys((
        "encrypted", "multiattach", "consumes_quota", "is_incremental", "has_dependent_backups", "frozen", "is_public",
        "os-volume-type-access:is_public", "no_snapshots", "accepted", "safe_to_manage"), FLAG),
    **dict.fromkeys(("metadata", "reference"), PAIRS),
    **dict.fromkeys(("extra_specs", "group_specs", "specs", "volume_image_metadata"), LOOSE_PAIRS),
    "bootable": {"type": "string", "enum": ["true", "false"]}, "shared_targets": maybe(FLAG), "links": LINKS,
    "attachments": listed(_ATTACHED), "connection_info": known(_ATTACHING, _ATTACHING), "group_type": UUID,
    "volume_types": listed(TEXT),
    "source_reference": maybe(PAIRS), "extra_info": maybe(known({})), "decision": maybe(_DECISION),
}

#: Views that are functions: (the view that they go on from or None, keys that may be there, keys that always are).
FUNCTIONS = {
    volumes.DETAIL: (volumes._basic, ("encryption_key_id",), ()),
    volumes.WHOLE: (volumes._whole, ("encryption_key_id", "volume_image_metadata"), ()),
    backups.DETAIL: (backups._detail, ("encryption_key_id",), ()),
    groups.TYPE: (None, ("group_specs",), ("id", "name", "description", "is_public")),
    qos.SPEC: (None, (), ("id", "name", "consumer", "specs")),
    transfers.CREATED: (transfers.DETAIL, (), ("auth_key",)),
    types.UPDATED: (None, ("extra_specs", "qos_specs_id"), ("id", "name", "description", "is_public")),
    types.CREATED: (None, ("extra_specs", "os-volume-type-access:is_public"), ("id", "name", "description", "is_public")),
    types.DETAIL: (None, ("extra_specs", "qos_specs_id", "os-volume-type-access:is_public"),
                   ("id", "name", "description", "is_public")),
}


def _group(version):
    found = of(groups._group, version)
    found["properties"]["volumes"] = listed(UUID)
    return found


def _service(version):
    found, more = of(services._view, version), of(services._of_volume, version)
    found["properties"] |= more["properties"]
    return found


def _alone(version):
    return thing({"qos_specs": of(qos.SPEC, version), "links": LINKS})


#: Views that neither their fields nor FUNCTIONS describe: view -> function(version).
MADE = {
    groups.GROUP: _group, services.SERVICE: _service, qos.ALONE: _alone,
    services.POOL: lambda version: thing({"name": TEXT, "capabilities": _POOL}, ("capabilities",)),
}


def _of_view(view, version):
    """Fields that a policy guards may be missing."""
    fields = view.at(version)
    return thing({field.name: FIELDS[field.name] for field in fields},
                 {field.name for field in fields if field.policy is not None})


def _of_function(view, version):
    base, optional, always = FUNCTIONS[view]
    found = of(base, version) if base is not None else thing({})
    found["properties"] |= {name: FIELDS[name] for name in (*always, *optional)}
    found["required"] = [*found["required"], *always]
    return found


def of(view, version):
    """The schema of what a view makes at a version; None for what is no JSON."""
    if view is None or view is text:
        return None
    if isinstance(view, One):
        return thing({view.key: of(view.view, version)})
    if isinstance(view, Many):
        more = {view.links: LINKS} if view.links else {}
        return thing({view.key: listed(of(view.view, version)), **more, "count": COUNT}, ("count", *more))
    if isinstance(view, View):
        return _of_view(view, version)
    if view in FUNCTIONS:
        return _of_function(view, version)
    return MADE[view](version)


_SPEC_OF_TYPE = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": maybe(TEXT)}
_METADATA = thing({"metadata": PAIRS})
_META = thing({"meta": {**PAIRS, "minProperties": 1, "maxProperties": 1}})
_SPECS = thing({"extra_specs": LOOSE_PAIRS})
_QUOTA = {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, TEXT, thing({
    "limit": {"type": "integer"}, "in_use": {"type": "integer"}, "reserved": {"type": "integer"}}, ("reserved",))]}}
_SWITCHED = {"host": TEXT, "service": TEXT, "binary": TEXT, "status": TEXT, "disabled": FLAG}
_ENCRYPTION = {"volume_type_id": UUID, "encryption_id": UUID, "provider": TEXT, "control_location": TEXT,
               "cipher": maybe(TEXT), "key_size": maybe({"type": "integer"})}
_TYPE_ENCRYPTION = {**_ENCRYPTION, "created_at": maybe(TIME), "updated_at": maybe(TIME), "deleted": FLAG,
                    "deleted_at": maybe(TIME)}
_DEFAULT_TYPE = thing({"project_id": TEXT, "volume_type_id": UUID})
_UPLOADING = thing({
    "id": UUID, "status": TEXT, "size": COUNT, "updated_at": maybe(TIME), "display_description": maybe(TEXT),
    "image_id": TEXT, "image_name": maybe(TEXT), "container_format": maybe(TEXT), "disk_format": maybe(TEXT),
    "visibility": maybe(TEXT), "protected": maybe(FLAG), "volume_type": maybe(thing({
        "id": UUID, "name": TEXT, "description": maybe(TEXT), "is_public": FLAG, "extra_specs": LOOSE_PAIRS,
        "qos_specs_id": maybe(TEXT), "deleted": FLAG, "deleted_at": maybe(TIME), "created_at": maybe(TIME),
        "updated_at": maybe(TIME)}))})
_CLUSTER = {"name": TEXT, "binary": TEXT, "state": TEXT, "status": TEXT, "replication_status": maybe(TEXT)}
_CLUSTER_DETAIL = {
    **_CLUSTER, "num_hosts": COUNT, "num_down_hosts": COUNT, "last_heartbeat": maybe(TIME), "created_at": maybe(TIME),
    "updated_at": maybe(TIME), "disabled_reason": maybe(TEXT), "frozen": FLAG, "active_backend_id": maybe(TEXT)}
_SINCE_26 = ("replication_status", "frozen", "active_backend_id")
_CAPABILITIES = thing({
    **dict.fromkeys(("namespace", "vendor_name", "volume_backend_name", "pool_name", "driver_version", "storage_protocol",
                     "display_name", "description"), TEXT),
    "visibility": maybe(TEXT), "replication_targets": listed(TEXT),
    "properties": {"type": "object", "additionalProperties": thing({"title": TEXT, "description": TEXT, "type": TEXT})}})
_EXTENSION = thing({"alias": TEXT, "name": TEXT, "links": LINKS, "updated": TEXT, "description": TEXT})
_HELD = thing(dict.fromkeys(("host", "project", "volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb"),
                            TEXT))
_ACTION = "/volumes/{volume_id}/action"

#: (method, path, action) of what is answered as it stands -> its schema.
PLAIN = {
    ("GET", "/volumes/{volume_id}/encryption", None): thing(
        {"encryption_key_id": maybe(TEXT), "provider": TEXT, "control_location": TEXT, "cipher": maybe(TEXT),
         "key_size": maybe(INTEGER)}, ("provider", "control_location", "cipher", "key_size")),
    ("POST", _ACTION, "os-initialize_connection"): thing({"connection_info": thing({
        "driver_volume_type": TEXT, "data": known(_CONNECTION, set(_CONNECTION) - {"encrypted", "access_mode", "volume_id"}),
        "enforce_multipath": FLAG})}),
    ("POST", _ACTION, "os-migrate_volume_completion"): thing({"save_volume_id": UUID}),
    ("POST", _ACTION, "os-volume_upload_image"): thing({"os-volume_upload_image": _UPLOADING}),
    **dict.fromkeys([("POST", _ACTION, f"os-{word}_image_metadata") for word in ("set", "show")], _METADATA),
    ("GET", "/volumes/summary", None): thing({"volume-summary": thing(
        {"total_count": COUNT, "total_size": {"type": "integer"}, "metadata": {
            "type": "object", "additionalProperties": listed(TEXT)}}, ("metadata",))}),
    **dict.fromkeys([(method, f"/{kind}/{{{kind[:-1]}_id}}/metadata", None)
                     for kind in ("volumes", "snapshots") for method in ("GET", "POST", "PUT")], _METADATA),
    **dict.fromkeys([(method, f"/{kind}/{{{kind[:-1]}_id}}/metadata/{{key}}", None)
                     for kind in ("volumes", "snapshots") for method in ("GET", "PUT")], _META),
    **dict.fromkeys([(method, "/types/{type_id}/extra_specs", None) for method in ("GET", "POST")], _SPECS),
    **dict.fromkeys([(method, "/types/{type_id}/extra_specs/{key}", None) for method in ("GET", "PUT")], _SPEC_OF_TYPE),
    **dict.fromkeys([(method, "/group_types/{group_type_id}/group_specs", None) for method in ("GET", "POST")],
                    thing({"group_specs": LOOSE_PAIRS})),
    **dict.fromkeys([(method, "/group_types/{group_type_id}/group_specs/{key}", None) for method in ("GET", "PUT")],
                    _SPEC_OF_TYPE),
    ("GET", "/types/{type_id}/os-volume-type-access", None): thing({"volume_type_access": listed(thing({
        "volume_type_id": UUID, "project_id": TEXT}))}),
    ("GET", "/types/{type_id}/encryption", None): {"anyOf": [thing({}), thing(_TYPE_ENCRYPTION)]},
    ("GET", "/types/{type_id}/encryption/{key}", None): {
        **thing(_TYPE_ENCRYPTION, _TYPE_ENCRYPTION), "minProperties": 1, "maxProperties": 1},
    ("POST", "/types/{type_id}/encryption", None): thing({"encryption": thing(_ENCRYPTION)}),
    ("GET", "/qos-specs/{qos_id}/associations", None): thing({"qos_associations": listed(thing({
        "association_type": TEXT, "name": TEXT, "id": UUID}))}),
    ("GET", "/default-types", None): thing({"default_types": listed(_DEFAULT_TYPE)}),
    **dict.fromkeys([(method, "/default-types/{default_project_id}", None) for method in ("GET", "PUT")],
                    thing({"default_type": _DEFAULT_TYPE})),
    **dict.fromkeys([("GET", "/os-quota-sets/{target_project_id}", None),
                     ("GET", "/os-quota-sets/{target_project_id}/defaults", None),
                     ("PUT", "/os-quota-sets/{target_project_id}", None)], thing({"quota_set": _QUOTA})),
    **dict.fromkeys([(method, "/os-quota-class-sets/{class_name}", None) for method in ("GET", "PUT")],
                    thing({"quota_class_set": _QUOTA})),
    ("GET", "/limits", None): thing({"limits": thing({"rate": {"type": "array", "maxItems": 0}, "absolute": {
        "type": "object", "additionalProperties": {"type": "integer"}}})}),
    **dict.fromkeys([("PUT", f"/os-services/{word}", None) for word in ("enable", "disable")], thing(_SWITCHED)),
    ("PUT", "/os-services/disable-log-reason", None): thing({**_SWITCHED, "disabled_reason": TEXT}),
    ("GET", "/os-availability-zone", None): thing({"availabilityZoneInfo": listed(thing({
        "zoneName": TEXT, "zoneState": thing({"available": FLAG})}))}),
    ("PUT", "/os-services/get-log", None): thing({"log_levels": listed(thing({
        "binary": TEXT, "host": TEXT, "levels": PAIRS}))}),
    ("GET", "/os-hosts", None): thing({"hosts": listed(thing({
        **dict.fromkeys(("host_name", "service", "zone", "service-state", "service-status"), TEXT),
        "last-update": maybe(TIME)}))}),
    ("GET", "/os-hosts/{host}", None): thing({"host": listed(thing({"resource": _HELD}))}),
    ("PUT", "/os-hosts/{host}", None): thing({"host": TEXT, "status": TEXT}),
    ("GET", "/clusters", None): thing({"clusters": listed(thing(_CLUSTER, _SINCE_26))}),
    ("GET", "/clusters/detail", None): thing({"clusters": listed(thing(_CLUSTER_DETAIL, _SINCE_26))}),
    ("GET", "/clusters/{name}", None): thing({"cluster": thing(_CLUSTER_DETAIL, _SINCE_26)}),
    **dict.fromkeys([("PUT", f"/clusters/{word}", None) for word in ("enable", "disable")],
                    thing({"cluster": thing(_CLUSTER, _SINCE_26)})),
    ("GET", "/capabilities/{host}", None): _CAPABILITIES,
    ("GET", "/extensions", None): thing({"extensions": listed(_EXTENSION)}),
    ("GET", "/extensions/{alias}", None): thing({"extension": _EXTENSION}),
    ("GET", "/resource_filters", None): thing({"resource_filters": listed(thing({
        "resource": TEXT, "filters": listed(TEXT)}))}),
    ("POST", "/groups/{group_id}/action", "list_replication_targets"): thing({"replication_targets": listed(known(
        {"backend_id": TEXT}))}),
    ("POST", "/workers/cleanup", None): thing(dict.fromkeys(("cleaning", "unavailable"), listed(thing({
        "id": {"type": "integer"}, "host": TEXT, "binary": TEXT, "cluster_name": maybe(TEXT)})))),
    ("POST", "/backups/{backup_id}/restore", None): thing({"restore": thing({
        "backup_id": UUID, "volume_id": UUID, "volume_name": maybe(TEXT)})}),
    ("GET", "/backups/{backup_id}/export_record", None): thing({"backup-record": thing({
        "backup_service": TEXT, "backup_url": TEXT})}),
}
#: What is answered with the body that was sent.
ECHOED = frozenset((("PUT", "/types/{type_id}/encryption/{key}", None), ("PUT", "/qos-specs/{qos_id}", None)))
FAULT = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {
    "type": "object", "required": ["code", "message"], "properties": {"code": {"type": "integer"}, "message": TEXT}}}


def of_route(route, version):
    """The schema of a route's answer at a version; None when it has no JSON body."""
    if route.view is None or route.view is text:
        return None
    key = (route.method, route.path, route.action)
    if key in ECHOED:
        return at(route.body, version)
    return PLAIN[key] if key in PLAIN else of(route.view, version)
