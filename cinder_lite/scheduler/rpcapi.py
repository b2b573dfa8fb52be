"""The RPC interface of the schedulers."""

from cinder_lite import context
from cinder_lite.rpc import interface, log_levels


class SchedulerRPC(log_levels.LogLevels):
    """Messages go to any scheduler."""

    topic, version = "cinder_lite-scheduler", "1.0"

    @interface.cast
    def run_job(self, ctx: context.Context, job_id: str) -> None:
        """Decide on a job that waits for placement."""
