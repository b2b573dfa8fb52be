"""Describes responses as JSON Schema: derived from the views, and listed for documents that handlers render."""

from collections.abc import Callable, Collection, Mapping

from cinder_lite.api.body_formats import MAX_INTEGER
from cinder_lite.api.body_schema import Schema, at
from cinder_lite.api.pages import Many
from cinder_lite.api.route import Route
from cinder_lite.api.versions import Version
from cinder_lite.api.view import One, Renderer, View, text
from cinder_lite.api.views import qos, services, transfers

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
FLAG: Schema = {"type": "boolean"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "description": "UTC, YYYY-MM-DDTHH:MM:SS.ffffff"}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    return {**schema, "type": [*(schema["type"] if isinstance(schema["type"], list) else [schema["type"]]), "null"]}


def object_of(properties: Mapping[str, Schema], optional: Collection[str] = ()) -> Schema:
    """An object with these keys and no others; the names in `optional` may be missing."""
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": [name for name in properties if name not in optional]}


def array_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def open_object(properties: Mapping[str, Schema], optional: Collection[str] = (), by: str = "The driver") -> Schema:
    """An object with these keys and others, which are added by the part named in the description."""
    return {**object_of(properties, optional), "additionalProperties": True,
            "description": f"{by} adds keys of its own."}


PAIRS: Schema = {"type": "object", "additionalProperties": TEXT}
LOOSE_PAIRS: Schema = {"type": "object", "additionalProperties": nullable(TEXT)}
INTEGER: Schema = {"type": "integer"}
REAL: Schema = {"type": "number"}
LINKS = array_of(object_of({"rel": TEXT, "href": TEXT}))
_ATTACHED = object_of({"id": UUID, "attachment_id": UUID, "volume_id": UUID, "server_id": nullable(TEXT),
                       "host_name": nullable(TEXT), "device": nullable(TEXT), "attached_at": nullable(TIME)})

#: Connection information; the first keys are the service's, the others depend on the protocol.
_CONNECTION: dict[str, Schema] = {
    "encrypted": FLAG, "access_mode": {"type": "string", "enum": ["rw", "ro"]}, "cacheable": FLAG,
    "qos_specs": nullable({"type": "object", "additionalProperties": {"type": ["string", "integer"]}}),
    "volume_id": UUID, "target_portal": TEXT, "target_iqn": TEXT, "target_lun": COUNT,
    "target_portals": array_of(TEXT), "target_iqns": array_of(TEXT), "target_luns": array_of(COUNT),
    "target_discovered": FLAG, "auth_method": nullable(TEXT), "auth_username": nullable(TEXT),
    "auth_password": nullable(TEXT), "discard": FLAG, "name": TEXT, "hosts": array_of(TEXT), "ports": array_of(TEXT),
    "cluster_name": TEXT, "keyring": nullable(TEXT), "auth_enabled": FLAG, "secret_type": TEXT,
    "secret_uuid": nullable(TEXT)}
_ATTACHING: dict[str, Schema] = {
    "driver_volume_type": TEXT, "attachment_id": UUID, "enforce_multipath": FLAG, **_CONNECTION}
_DECISION = object_of({
    "operation": TEXT, "size": INTEGER, "zones": array_of(TEXT),
    "ranked": array_of(object_of({"pool": TEXT, "weight": REAL, "weighers": array_of(
        open_object({}, by="Each weigher"))})),
    "refusals": array_of(object_of({"pool": TEXT, "filter": TEXT, "reason": TEXT})),
    "reasons": array_of(TEXT), "waiting": object_of({"since": TEXT, "seconds": COUNT}),
    "unlisted": object_of({"ranked": COUNT, "refusals": COUNT})}, ("reasons", "waiting", "unlisted"))
_GIB: Schema = {"type": ["number", "string"], "description": "GiB, infinite or unknown"}
_POOL = open_object({
    "volume_backend_name": TEXT, "pool_name": TEXT, "vendor_name": TEXT, "driver_version": TEXT,
    "storage_protocol": TEXT, "total_capacity_gb": _GIB, "free_capacity_gb": _GIB, "provisioned_capacity_gb": REAL,
    "allocated_capacity_gb": INTEGER, "reserved_percentage": INTEGER,
    "max_over_subscription_ratio": {"type": ["number", "string"]}, "thin_provisioning_support": FLAG,
    "thick_provisioning_support": FLAG, "multiattach": FLAG, "online_extend_support": FLAG,
    "total_volumes": COUNT, "backend_state": {"type": "string", "enum": ["up", "down"]},
    "timestamp": nullable(TIME)}, ("vendor_name", "driver_version", "storage_protocol"))

#: field -> its schema, the same in all views
FIELDS: dict[str, Schema] = {
    **dict.fromkeys(("id", "volume_id", "group_type_id", "group_id_of_snapshot"), UUID),
    **dict.fromkeys((
        "snapshot_id", "source_volid", "consistencygroup_id", "group_id", "volume_type_id", "service_uuid",
        "group_snapshot_id", "source_group_id", "cinder_id", "resource_uuid", "encryption_key_id"), nullable(TEXT)),
    **dict.fromkeys(("created_at", "updated_at", "data_timestamp", "guaranteed_until", "finished_at"), nullable(TIME)),
    **dict.fromkeys(("attached_at", "detached_at", "attach_mode"), TEXT),
    **dict.fromkeys((
        "name", "description", "availability_zone", "volume_type", "replication_status", "migration_status",
        "provider_id", "cluster_name", "cluster", "user_id", "project_id", "os-vol-tenant-attr:tenant_id",
        "os-vol-host-attr:host", "os-vol-mig-status-attr:migstat", "os-vol-mig-status-attr:name_id", "disabled_reason",
        "active_backend_id", "os-extended-snapshot-attributes:project_id", "os-extended-snapshot-attributes:progress",
        "container", "fail_reason", "os-backup-project-attr:project_id", "instance", "request_id", "resource_type",
        "reason_not_safe", "source_project_id", "destination_project_id", "host", "owner", "error", "waits_for",
        "qos_specs_id"), nullable(TEXT)),
    **dict.fromkeys((
        "status", "binary", "zone", "state", "backend_state", "event_id", "user_message", "message_level", "kind",
        "action", "stage", "resource_id", "consumer", "auth_key"), TEXT),
    **dict.fromkeys(("size", "object_count", "attempt", "progress"), COUNT),
    **dict.fromkeys((
        "encrypted", "multiattach", "consumes_quota", "is_incremental", "has_dependent_backups", "frozen", "is_public",
        "os-volume-type-access:is_public", "no_snapshots", "accepted", "safe_to_manage"), FLAG),
    **dict.fromkeys(("metadata", "reference"), PAIRS),
    **dict.fromkeys(("extra_specs", "group_specs", "specs", "volume_image_metadata"), LOOSE_PAIRS),
    "bootable": {"type": "string", "enum": ["true", "false"]}, "shared_targets": nullable(FLAG), "links": LINKS,
    "attachments": array_of(_ATTACHED), "connection_info": open_object(_ATTACHING, _ATTACHING), "group_type": UUID,
    "volume_types": array_of(TEXT), "volumes": array_of(UUID),
    "source_reference": nullable(PAIRS), "extra_info": nullable(open_object({})), "decision": nullable(_DECISION),
}


def _created_transfer(version: Version) -> Schema:
    found = _of_json(transfers.DETAIL, version)
    return object_of({**found["properties"], "auth_key": TEXT})


def _single_qos(version: Version) -> Schema:
    return object_of({"qos_specs": _of_json(qos.SPEC, version), "links": LINKS})


#: Views that are functions -> function(version).
FUNCTION_VIEWS: dict[Renderer, Callable[[Version], Schema]] = {
    transfers.CREATED: _created_transfer, qos.SINGLE: _single_qos,
    services.POOL: lambda version: object_of({"name": TEXT, "capabilities": _POOL}, ("capabilities",)),
}


def _of_view(view: View, version: Version) -> Schema:
    """The schema of a View; fields that a policy guards, or that only some rows have, are optional."""
    fields = view.at(version)
    return object_of({field.name: FIELDS[field.name] for field in fields},
                     {field.name for field in fields if field.policy is not None or field.when is not None})


def _of_json(view: Renderer, version: Version) -> Schema:
    """The schema of the JSON that a view renders at a version."""
    if isinstance(view, One):
        return object_of({view.key: _of_json(view.view, version)})
    if isinstance(view, Many):
        more = {view.links: LINKS} if view.links else {}
        return object_of({view.key: array_of(_of_json(view.view, version)), **more, "count": COUNT}, ("count", *more))
    if isinstance(view, View):
        return _of_view(view, version)
    return FUNCTION_VIEWS[view](version)


_SPEC_OF_TYPE = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": nullable(TEXT)}
_METADATA = object_of({"metadata": PAIRS})
_META = object_of({"meta": {**PAIRS, "minProperties": 1, "maxProperties": 1}})
_SPECS = object_of({"extra_specs": LOOSE_PAIRS})
_QUOTA = {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, TEXT, object_of({
    "limit": {"type": "integer"}, "in_use": {"type": "integer"}, "reserved": {"type": "integer"}}, ("reserved",))]}}
_SWITCHED = {"host": TEXT, "service": TEXT, "binary": TEXT, "status": TEXT, "disabled": FLAG}
_ENCRYPTION = {"volume_type_id": UUID, "encryption_id": UUID, "provider": TEXT, "control_location": TEXT,
               "cipher": nullable(TEXT), "key_size": nullable({"type": "integer"})}
_TYPE_ENCRYPTION = {**_ENCRYPTION, "created_at": nullable(TIME), "updated_at": nullable(TIME), "deleted": FLAG,
                    "deleted_at": nullable(TIME)}
_DEFAULT_TYPE = object_of({"project_id": TEXT, "volume_type_id": UUID})
_UPLOADING = object_of({
    "id": UUID, "status": TEXT, "size": COUNT, "updated_at": nullable(TIME), "display_description": nullable(TEXT),
    "image_id": TEXT, "image_name": nullable(TEXT), "container_format": nullable(TEXT), "disk_format": nullable(TEXT),
    "visibility": nullable(TEXT), "protected": nullable(FLAG), "volume_type": nullable(object_of({
        "id": UUID, "name": TEXT, "description": nullable(TEXT), "is_public": FLAG, "extra_specs": LOOSE_PAIRS,
        "qos_specs_id": nullable(TEXT), "deleted": FLAG, "deleted_at": nullable(TIME), "created_at": nullable(TIME),
        "updated_at": nullable(TIME)}))})
_CLUSTER = {"name": TEXT, "binary": TEXT, "state": TEXT, "status": TEXT, "replication_status": nullable(TEXT)}
_CLUSTER_DETAIL = {
    **_CLUSTER, "num_hosts": COUNT, "num_down_hosts": COUNT, "last_heartbeat": nullable(TIME),
    "created_at": nullable(TIME), "updated_at": nullable(TIME), "disabled_reason": nullable(TEXT), "frozen": FLAG,
    "active_backend_id": nullable(TEXT)}
_SINCE_26 = ("replication_status", "frozen", "active_backend_id")
_CAPABILITIES = object_of({
    **dict.fromkeys(("namespace", "vendor_name", "volume_backend_name", "pool_name", "driver_version",
                     "storage_protocol", "display_name", "description"), TEXT),
    "visibility": nullable(TEXT), "replication_targets": array_of(TEXT),
    "properties": {"type": "object", "additionalProperties": object_of({
        "title": TEXT, "description": TEXT, "type": TEXT})}})
_EXTENSION = object_of({"alias": TEXT, "name": TEXT, "links": LINKS, "updated": TEXT, "description": TEXT})
_HELD = object_of(dict.fromkeys((
    "host", "project", "volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb"), TEXT))
_ACTION = "/volumes/{volume_id}/action"

#: (method, path, action) -> the schema of a document that the handler renders.
PLAIN: dict[tuple[str, str, str | None], Schema] = {
    ("GET", "/volumes/{volume_id}/encryption", None): object_of(
        {"encryption_key_id": nullable(TEXT), "provider": TEXT, "control_location": TEXT, "cipher": nullable(TEXT),
         "key_size": nullable(INTEGER)}, ("provider", "control_location", "cipher", "key_size")),
    ("POST", _ACTION, "os-initialize_connection"): object_of({"connection_info": object_of({
        "driver_volume_type": TEXT, "data": open_object(
            _CONNECTION, set(_CONNECTION) - {"encrypted", "access_mode", "volume_id"}),
        "enforce_multipath": FLAG})}),
    ("POST", _ACTION, "os-migrate_volume_completion"): object_of({"save_volume_id": UUID}),
    ("POST", _ACTION, "os-volume_upload_image"): object_of({"os-volume_upload_image": _UPLOADING}),
    **dict.fromkeys([("POST", _ACTION, f"os-{verb}_image_metadata") for verb in ("set", "show")], _METADATA),
    ("GET", "/volumes/summary", None): object_of({"volume-summary": object_of(
        {"total_count": COUNT, "total_size": {"type": "integer"}, "metadata": {
            "type": "object", "additionalProperties": array_of(TEXT)}}, ("metadata",))}),
    **dict.fromkeys([(method, f"/{kind}/{{{kind[:-1]}_id}}/metadata", None)
                     for kind in ("volumes", "snapshots") for method in ("GET", "POST", "PUT")], _METADATA),
    **dict.fromkeys([(method, f"/{kind}/{{{kind[:-1]}_id}}/metadata/{{key}}", None)
                     for kind in ("volumes", "snapshots") for method in ("GET", "PUT")], _META),
    **dict.fromkeys([(method, "/types/{type_id}/extra_specs", None) for method in ("GET", "POST")], _SPECS),
    **dict.fromkeys([(method, "/types/{type_id}/extra_specs/{key}", None) for method in ("GET", "PUT")], _SPEC_OF_TYPE),
    **dict.fromkeys([(method, "/group_types/{group_type_id}/group_specs", None) for method in ("GET", "POST")],
                    object_of({"group_specs": LOOSE_PAIRS})),
    **dict.fromkeys([(method, "/group_types/{group_type_id}/group_specs/{key}", None) for method in ("GET", "PUT")],
                    _SPEC_OF_TYPE),
    ("GET", "/types/{type_id}/os-volume-type-access", None): object_of({"volume_type_access": array_of(object_of({
        "volume_type_id": UUID, "project_id": TEXT}))}),
    ("GET", "/types/{type_id}/encryption", None): {"anyOf": [object_of({}), object_of(_TYPE_ENCRYPTION)]},
    ("GET", "/types/{type_id}/encryption/{key}", None): {
        **object_of(_TYPE_ENCRYPTION, _TYPE_ENCRYPTION), "minProperties": 1, "maxProperties": 1},
    ("POST", "/types/{type_id}/encryption", None): object_of({"encryption": object_of(_ENCRYPTION)}),
    ("GET", "/qos-specs/{qos_id}/associations", None): object_of({"qos_associations": array_of(object_of({
        "association_type": TEXT, "name": TEXT, "id": UUID}))}),
    ("GET", "/default-types", None): object_of({"default_types": array_of(_DEFAULT_TYPE)}),
    **dict.fromkeys([(method, "/default-types/{default_project_id}", None) for method in ("GET", "PUT")],
                    object_of({"default_type": _DEFAULT_TYPE})),
    **dict.fromkeys([("GET", "/os-quota-sets/{target_project_id}", None),
                     ("GET", "/os-quota-sets/{target_project_id}/defaults", None),
                     ("PUT", "/os-quota-sets/{target_project_id}", None)], object_of({"quota_set": _QUOTA})),
    **dict.fromkeys([(method, "/os-quota-class-sets/{class_name}", None) for method in ("GET", "PUT")],
                    object_of({"quota_class_set": _QUOTA})),
    ("GET", "/limits", None): object_of({"limits": object_of({"rate": {"type": "array", "maxItems": 0}, "absolute": {
        "type": "object", "additionalProperties": {"type": "integer"}}})}),
    **dict.fromkeys([("PUT", f"/os-services/{verb}", None) for verb in ("enable", "disable")], object_of(_SWITCHED)),
    ("PUT", "/os-services/disable-log-reason", None): object_of({**_SWITCHED, "disabled_reason": TEXT}),
    ("GET", "/os-availability-zone", None): object_of({"availabilityZoneInfo": array_of(object_of({
        "zoneName": TEXT, "zoneState": object_of({"available": FLAG})}))}),
    ("PUT", "/os-services/get-log", None): object_of({"log_levels": array_of(object_of({
        "binary": TEXT, "host": TEXT, "levels": PAIRS}))}),
    ("GET", "/os-hosts", None): object_of({"hosts": array_of(object_of({
        **dict.fromkeys(("host_name", "service", "zone", "service-state", "service-status"), TEXT),
        "last-update": nullable(TIME)}))}),
    ("GET", "/os-hosts/{host}", None): object_of({"host": array_of(object_of({"resource": _HELD}))}),
    ("PUT", "/os-hosts/{host}", None): object_of({"host": TEXT, "status": TEXT}),
    ("GET", "/clusters", None): object_of({"clusters": array_of(object_of(_CLUSTER, _SINCE_26))}),
    ("GET", "/clusters/detail", None): object_of({"clusters": array_of(object_of(_CLUSTER_DETAIL, _SINCE_26))}),
    ("GET", "/clusters/{name}", None): object_of({"cluster": object_of(_CLUSTER_DETAIL, _SINCE_26)}),
    **dict.fromkeys([("PUT", f"/clusters/{verb}", None) for verb in ("enable", "disable")],
                    object_of({"cluster": object_of({**_CLUSTER, "disabled_reason": nullable(TEXT)}, _SINCE_26)})),
    ("GET", "/capabilities/{host}", None): _CAPABILITIES,
    ("GET", "/extensions", None): object_of({"extensions": array_of(_EXTENSION)}),
    ("GET", "/extensions/{alias}", None): object_of({"extension": _EXTENSION}),
    ("GET", "/resource_filters", None): object_of({"resource_filters": array_of(object_of({
        "resource": TEXT, "filters": array_of(TEXT)}))}),
    ("POST", "/groups/{group_id}/action", "list_replication_targets"): object_of({
        "replication_targets": array_of(open_object({"backend_id": TEXT}))}),
    ("POST", "/workers/cleanup", None): object_of(dict.fromkeys(("cleaning", "unavailable"), array_of(object_of({
        "id": {"type": "integer"}, "host": TEXT, "binary": TEXT, "cluster_name": nullable(TEXT)})))),
    ("POST", "/backups/{backup_id}/restore", None): object_of({"restore": object_of({
        "backup_id": UUID, "volume_id": UUID, "volume_name": nullable(TEXT)})}),
    ("GET", "/backups/{backup_id}/export_record", None): object_of({"backup-record": object_of({
        "backup_service": TEXT, "backup_url": TEXT})}),
}
#: Operations whose responses repeat the body of the request.
ECHOES = frozenset((("PUT", "/types/{type_id}/encryption/{key}", None), ("PUT", "/qos-specs/{qos_id}", None)))
FAULT = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {
    "type": "object", "required": ["code", "message"], "properties": {"code": {"type": "integer"}, "message": TEXT}}}


def of_route(route: Route, version: Version) -> Schema | None:
    """The schema of a route's response at a version; None when it has no JSON body."""
    if route.view is None or route.view is text:
        return None
    if route.response is not None:
        return route.response
    key = (route.method, route.path, route.action)
    if key in ECHOES:
        return at(route.body, version)
    if key in PLAIN:
        return PLAIN[key]
    try:
        return _of_json(route.view, version)
    except KeyError:
        # A view of an installed package's; a test holds that those of ROUTES are all described.
        return {"type": "object"}
