"""Sends external events about volumes to Nova, each as a job of its own, so that no crash loses one."""

import logging

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, jobs
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.nova import client

LOG = logging.getLogger(__name__)

#: Seconds for which sending is retried.
RETRY_PERIOD = 3600


class ServerEvents:
    """Schedules and sends events about a volume to the servers that use it."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts) -> None:
        self.db, self.nova = database, client.Nova(conf)

    def send_when_done(self, work: Work, event: str) -> None:
        """Send the event to the volume's servers when the work has ended."""
        if not self.nova.is_configured:
            return
        work.leave_job(lambda tx: self._add(tx, work.job, event))

    @staticmethod
    def _add(tx, job, event):
        wanted = states.RESERVED if event == client.REIMAGED else states.ATTACHED
        servers = [one.instance_uuid for one in attachments.of_volume(tx, job.resource_id)
                   if one.instance_uuid and one.attach_status == wanted]
        return servers and jobs.add(
            tx, jobs.requester(job, overwrite=False), "server", job.resource_id, event, job.stage, job.host,
            {"servers": servers, "succeeded": True})

    def send(self, work: Work) -> None:
        """Send one event, or end when Nova is not configured here."""
        args, job = work.args, work.job
        work.begin()
        if not self.nova.is_configured:
            return
        try:
            with work.waits_for("Nova"):
                self.nova.send_event(job.action, args["servers"], job.resource_id, args["succeeded"])
        except errors.Unavailable as error:
            if (db.now() - job.created_at).total_seconds() > RETRY_PERIOD:
                servers = ", ".join(args["servers"])
                raise outcomes.Refused(f"{error} The servers {servers} may not know of it.") from error
            LOG.warning("%s Retrying.", error)
            raise outcomes.Interrupted from error
