"""What answers show of user messages and jobs."""

from cinder_lite.api.route import Field, View
from cinder_lite.api.views.volumes import created_at, time, updated_at

MESSAGE = View(
    Field("id"), Field("event_id"), Field("user_message"), Field("message_level"), Field("created_at", created_at),
    Field("guaranteed_until", lambda row, req: time(row.expires_at)), Field("request_id"),
    Field("links", lambda row, req: req.links("messages", row.id)), Field("resource_type"), Field("resource_uuid"))

JOB = View(
    Field("id"), Field("request_id"), Field("project_id"), Field("user_id"), Field("kind"), Field("resource_id"),
    Field("action"), Field("stage"), Field("host"), Field("status"), Field("owner"), Field("attempt"),
    Field("progress"), Field("error"), Field("decision"), Field("created_at", created_at),
    Field("updated_at", updated_at), Field("finished_at", lambda row, req: time(row.finished_at)))
