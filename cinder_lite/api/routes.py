"""Every operation of the API, one row each."""

from cinder_lite.api import volume_actions, volumes
from cinder_lite.api.route import Many, One, Route, plain
from cinder_lite.api.schemas import volumes as volume_bodies
from cinder_lite.api.views import volumes as volume_views

_VOLUME, _ACTION = "/volumes/{volume_id}", "/volumes/{volume_id}/action"
_VA, _VAA = "volume_extension:volume_actions:", "volume_extension:volume_admin_actions:"

VOLUMES = (
    Route("POST", "/volumes", volumes.create, "volume:create", volume_bodies.CREATE,
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
    Route("POST", _ACTION, volume_actions.update_readonly_flag, "volume:update", volume_bodies.READONLY, None, 202,
          action="os-update_readonly_flag"),
    Route("POST", _ACTION, volume_actions.set_bootable, "volume:update", volume_bodies.BOOTABLE, None, 200,
          action="os-set_bootable"),
    Route("POST", _ACTION, volume_actions.reset_status, f"{_VAA}reset_status", volume_bodies.RESET_STATUS, None, 202,
          action="os-reset_status"),
    Route("POST", _ACTION, volume_actions.force_delete, f"{_VAA}force_delete", volume_bodies.FORCE_DELETE, None, 202,
          action="os-force_delete"),
)

ROUTES = (*VOLUMES, *VOLUME_ACTIONS)
