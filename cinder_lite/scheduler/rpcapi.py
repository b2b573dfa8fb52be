"""What a scheduler can be asked by message."""

from cinder_lite import rpc
from cinder_lite.rpc import log_levels


class SchedulerRPC(log_levels.Logs):
    """Addressed to any scheduler."""

    topic, version = "cinder_lite-scheduler", "1.0"

    @rpc.cast
    def run_job(self, ctx, job_id):
        """Look at a job that waits for a decision."""
