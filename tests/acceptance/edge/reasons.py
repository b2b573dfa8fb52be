"""Intended differences from Cinder in which requests are accepted or refused.

Each row is (operation, place, values, reason): regular expressions for the complete operation, the complete place in
the body and the complete name of the value (see probes.py).
"""

import re

ANY = ".*"
EARLIER = "what does not depend on the resource is judged before it is looked for: 400, where Cinder says 404"
CONNECTOR = ("names in a connector are texts of up to 255 characters; in Cinder others end as 500, after the volume "
             "was reserved")
DIRECTORY = "a container is a directory of the store, in which a backup must stay"
OPENSTACK = "`openstack volume type set --public` sends it"
HIDDEN = "Cinder's route is lost, or does not check"
LOOSER = "Cinder's limit of 255 characters is six volumes at a time"
DATABASE = "Cinder's database refuses it later, with 500"

BODIES = (
    ("POST /volumes", r"volume\.size", r"2\*\*31 - 1|large digits",
     "more than a volume can have: 400, where Cinder's sums overflow as 413"),
    ("POST /volumes", r"volume\.(image_id|imageRef)", "no letters", "no image is no image"),
    ("POST /volumes", r"volume\.group_id", "no letters", "no id is no group"),
    (r"POST .* os-attach", r"os-attach\.host_name", ANY, EARLIER),
    ("POST /volumes", r"OS-SCH-HNT:scheduler_hints(\..*)?", r".*70,000.*",
     "hints are stored: 16384 characters at most"),
    (r"POST .* os-(initialize|terminate)_connection|POST .* os-force_detach|(POST|PUT) /attachments.*",
     r".*connector(\..*)?", ANY, CONNECTOR),
    (r"POST .* os-retype", r"os-retype\.new_type", "256.*|70,000", EARLIER),
    (r"POST .* os-migrate_volume", r"os-migrate_volume(\.host|\.cluster)?( missing)?", ANY, EARLIER),
    (r"POST .* os-volume_upload_image", r"os-volume_upload_image\.(disk|container)_format", ANY,
     "formats that Glance has"),
    (r"POST /snapshots/.* os-update_snapshot_status", r".*\.progress", r"false|0|\[\]|\{\}", "a progress is a text"),
    (r"POST /(manageable_|os-).*(volumes?|snapshots?).*", r"(volume|snapshot)\.ref(\..*)?( missing)?", ANY,
     "a reference says something"),
    (r"POST /(manageable_volumes|os-volume-manage)", r"volume\.bootable", "null",
     "`openstack volume create --remote-source` sends it"),
    (r"POST /groups/action create-from-src", r"create-from-src\.group_snapshot_id", "null",
     "`openstack volume group create` sends it beside the other source"),
    (r"POST /groups/.* (enable|disable|list)_replication.*", r"(enable|disable|list)_replication(_targets)?", "null",
     "`openstack volume group set --enable-replication` sends it"),
    ("POST /cgsnapshots", r"cgsnapshot\.(name|description)", "null",
     "`openstack consistency group snapshot create` sends it"),
    ("POST /consistencygroups/create_from_src", r"consistencygroup-from-src\.(cgsnapshot_id|source_cgid)", "null",
     "`openstack consistency group create` sends it beside the other source"),
    (r"POST /.*transfer.*accept", r"accept\.auth_key", ANY, EARLIER),
    ("POST /backups", r"backup\.container", ANY, DIRECTORY),
    (r"PUT /backups/.*", r"backup(\.\w+)?( missing)?", r"\{\}|", EARLIER),
    (r"PUT /types/\{type_id\}", r"volume_type\.os-volume-type-access:is_public", ANY, OPENSTACK),
    (r"PUT /qos-specs/.*", r"qos_specs\.consumer", ANY, EARLIER),
    ("PUT /os-quota-sets/.*", r"quota_set\.\w+", ANY,
     "digits are a number, as for quota classes; Cinder compares the text with one"),
    ("PUT /os-services/failover", ANY, ANY, HIDDEN),
    ("PUT /clusters/disable", "disabled_reason", "a blank|only a .*",
     "blanks alone are as good as no letters, which Cinder takes"),
    ("PUT /os-hosts/.*", ANY, ANY, HIDDEN),
    ("PUT /os-services/[gs]et-log", r"binary|server", ANY,
     "who is not there is not asked: said so, where Cinder answers with nothing"),
    ("POST /workers/cleanup", r"resource_id", ANY, "Cinder fails with 500 when it looks for what there is"),
    (r"PUT /groups/.*", r"group\.(add|remove)_volumes", ANY, LOOSER),
    (r"PUT /(groups|consistencygroups|group_types)/.*", ANY, ANY, EARLIER),
    ("POST /consistencygroups", r"consistencygroup\.volume_types", ".*256.*|70,000|a blank|only a .*", EARLIER),
    ("POST /consistencygroups", r"consistencygroup\.availability_zone", ANY, EARLIER),
    ("POST /cgsnapshots", r"cgsnapshot\.(name|description)", "256.*|70,000", DATABASE),
)


def why(operation, place, value):
    """The reason of a difference; None when there is none."""
    for wanted_operation, wanted_place, wanted_value, reason in BODIES:
        if all(re.fullmatch(pattern, text) for pattern, text in (
                (wanted_operation, operation), (wanted_place, place), (wanted_value, value))):
            return reason
    return None


#: (list, key, value, reason) in the same way.
QUERIES = (
    (ANY, "(name|status)~", ANY,
     "everybody may look for a part of what they may look for; Cinder's list of filters has to say so"),
    ("(?!volumes).*", "created_at", ANY, "every list takes op:time; Cinder compares texts in those other than volumes"),
)


def of_query(kind, key, value):
    """The reason of a difference; None when there is none."""
    return next((reason for *patterns, reason in QUERIES if all(
        re.fullmatch(pattern, text) for pattern, text in zip(patterns, (kind, key, value), strict=True))), None)
