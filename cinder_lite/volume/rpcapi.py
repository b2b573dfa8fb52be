"""The RPC interface of the volume service."""
# mypy: disable-error-code="empty-body"

from cinder_lite import context
from cinder_lite.rpc import interface, log_levels


class VolumeRPC(log_levels.LogLevels):
    """The server's address is host@backend."""

    topic, version = "cinder_lite-volume", "1.1"

    @interface.cast
    def run_job(self, ctx: context.Context, job_id: str) -> None:
        """Run a job that waits for this backend."""

    @interface.call
    @interface.since("1.0", connection_id="1.1", generation="1.1")
    def connect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                connection_id: str | None = None, generation: int | None = None) -> dict:
        """Establish a recorded connection unless its generation has changed. Returns the connection information.

        Without `connection_id` the connection is recorded first.
        """

    @interface.call
    @interface.since("1.0", marked="1.1")
    def disconnect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                   marked: bool = False) -> None:
        """Remove ended connections; unless `marked`, the end of the connector's connections is recorded first."""

    @interface.call
    def open_local(self, ctx: context.Context, kind: str, id: str, host: str, copy_id: str | None = None) -> dict:
        """The location of a "volume"'s or "snapshot"'s bytes for a process on `host`: see cinder_lite.blockio.device.

        The kind "frozen" is the present content of volume `id`, kept as a snapshot named `copy_id` until
        `close_local`, so that a volume in use can be read. Raises OnAnotherHost if the bytes are a file or device of
        this host and `host` is another.
        """

    @interface.call
    def close_local(self, ctx: context.Context, volume_id: str, copy_id: str) -> None:
        """Remove the frozen copy that `open_local` made; a missing copy is not an error."""

    @interface.call
    def manageable(self, ctx: context.Context, kind: str) -> list[dict]:
        """All objects of a kind, "volume" or "snapshot", on the backend: a list of drivers.Manageable as dicts."""

    @interface.call
    @interface.since("1.1")
    def check_reference(self, ctx: context.Context, reference: dict) -> None:
        """Raise InvalidInput for a malformed reference to a volume or snapshot to be managed."""

    @interface.call
    def capabilities(self, ctx: context.Context) -> dict:
        """The backend's capabilities, as the capabilities API shows them."""
