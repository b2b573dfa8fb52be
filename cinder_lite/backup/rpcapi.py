"""The RPC interface of the backup service."""

from cinder_lite import context
from cinder_lite.rpc import interface, log_levels


class BackupRPC(log_levels.LogLevels):
    """The server's address is the service's host."""

    topic, version = "cinder_lite-backup", "1.0"

    @interface.cast
    def run_job(self, ctx: context.Context, job_id: str) -> None:
        """Run a job that waits for this service."""
