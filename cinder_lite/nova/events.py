"""What servers are told of their volumes: through Nova, as jobs of their own, so that a crash leaves no server behind."""

import logging

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, jobs
from cinder_lite.jobs import worker
from cinder_lite.nova import client

LOG = logging.getLogger(__name__)

#: Seconds for which Nova is tried again.
PATIENCE = 3600


class Servers:
    """Promises to tell the servers that have a volume, and does it."""

    def __init__(self, database, conf):
        self.db, self.nova = database, client.Nova(conf)
        self.handlers = {("server", event): self.tell for event in client.EVENTS}

    def promise(self, work, event):
        """When the work has ended, the volume's servers are told."""
        if not self.nova.is_there:
            return
        work.leave_job(lambda tx: self._add(tx, work.job, event, True))
        if event == client.REIMAGED:  # a server is being rebuilt, and waits for either
            work.when_failed(lambda tx: self._add(tx, work.job, event, False))

    @staticmethod
    def _add(tx, job, event, succeeded):
        wanted = states.RESERVED if event == client.REIMAGED else states.ATTACHED
        servers = [one.instance_uuid for one in attachments.of_volume(tx, job.resource_id)
                   if one.instance_uuid and one.attach_status == wanted]
        return servers and jobs.add(
            tx, jobs.asker(job, overwrite=False), "server", job.resource_id, event, job.stage, job.host,
            {"servers": servers, "succeeded": succeeded})

    def tell(self, work):
        args, job = work.args, work.job
        work.begin()
        try:
            self.nova.tell(job.action, args["servers"], job.resource_id, args["succeeded"])
        except errors.Unavailable as error:
            if (db.now() - job.created_at).total_seconds() > PATIENCE:
                raise worker.Refused(f"{error} The servers {', '.join(args['servers'])} may not know of it.") from error
            LOG.warning("%s It is asked again.", error)
            raise worker.Interrupted from error
