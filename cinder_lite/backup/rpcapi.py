"""What a backup service can be asked by message."""

from cinder_lite.rpc import interface, log_levels


class BackupRPC(log_levels.LogLevels):
    """Addressed as the service's host."""

    topic, version = "cinder_lite-backup", "1.0"

    @interface.cast
    def run_job(self, ctx, job_id):
        """Look at a job that waits for this service."""
