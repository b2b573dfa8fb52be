"""What a scheduler can be asked by message."""

from cinder_lite.rpc import interface, log_levels


class SchedulerRPC(log_levels.LogLevels):
    """Addressed to any scheduler."""

    topic, version = "cinder_lite-scheduler", "1.0"

    @interface.cast
    def run_job(self, ctx, job_id):
        """Look at a job that waits for a decision."""
