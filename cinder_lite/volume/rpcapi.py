"""What a volume service can be asked by message."""

from cinder_lite.rpc import interface, log_levels


class VolumeRPC(log_levels.LogLevels):
    """Addressed as host@backend."""

    topic, version = "cinder_lite-volume", "1.1"

    @interface.cast
    def run_job(self, ctx, job_id):
        """Look at a job that waits for this backend."""

    @interface.call
    @interface.since("1.0", connection_id="1.1", generation="1.1")
    def connect(self, ctx, volume_id, attachment_id, connector, connection_id=None, generation=None):
        """Make the connection that was recorded, unless its generation is another by now. Returns its information.

        Without `connection_id` it is recorded first.
        """

    @interface.call
    @interface.since("1.0", marked="1.1")
    def disconnect(self, ctx, volume_id, attachment_id, connector, marked=False):
        """Undo the connections that are recorded to be ended; unless `marked`, those of the connector are recorded first."""

    @interface.call
    def open_local(self, ctx, kind, id, host, copy_id=None):
        """Where a process on `host` finds the content of a "volume" or a "snapshot": see cinder_lite.blockio.device.

        Raises OnAnotherHost where it is a file or device of this host, and that is another.

        "frozen" is the content that volume `id` has now, kept as a snapshot of its own named `copy_id` until
        `close_local`, so that a volume in use can be read.
        """

    @interface.call
    def close_local(self, ctx, volume_id, copy_id):
        """Remove what `open_local` froze; that it is gone already is success."""

    @interface.call
    def manageable(self, ctx, kind):
        """What lies on the backend of a kind, "volume" or "snapshot": a list of drivers.Found as dicts."""

    @interface.call
    @interface.since("1.1")
    def check_reference(self, ctx, reference):
        """Raise InvalidInput for what cannot name a volume or snapshot to be taken over here, whatever there is."""

    @interface.call
    def capabilities(self, ctx):
        """What the backend is and can do, as the capabilities API shows it."""
