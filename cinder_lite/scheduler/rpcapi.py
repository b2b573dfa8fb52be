"""What a scheduler can be asked by message."""

from cinder_lite import loglevels, rpc


class SchedulerRPC(loglevels.Logs):
    """Addressed to any scheduler."""

    topic, version = "cinder_lite-scheduler", "1.0"

    @rpc.cast
    def run_job(self, ctx, job_id):
        """Look at a job that waits for a decision."""
