"""Defines the errors that users see: a class carries the HTTP status, an instance the message."""

from typing import Any, Self

#: The text for members where the reason of a failure names hosts, pools, paths or capacities of the cloud.
HIDDEN = "an internal error occurred; an administrator can look up the reason by the request id"
#: The same for a failure of the storage.
STORAGE = "the storage backend failed; an administrator can look up the reason by the request id"


class Explained(Exception):
    """An error whose text is written for users. Any other exception is reported with the name of its class.

    The text is for everybody, unless `for_members` is set: then only administrators get the text, all others that.
    """

    for_members: str | None = None

    @property
    def public(self) -> str:
        return str(self) if self.for_members is None else self.for_members


class Misconfigured(Explained):
    """The configuration cannot be used; the text names the option."""

    for_members = HIDDEN


class Reason(str):
    """Why something failed, as administrators read it; `public` is the text for everybody, by default the same.

    A plain str in place of a Reason is for administrators only (see `public` below).
    """

    public: str

    def __new__(cls, text: object, public: str | None = None) -> Self:
        reason = super().__new__(cls, text)
        reason.public = str(text) if public is None else public
        return reason

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """The reason that an exception gives."""
        if isinstance(error, Explained):
            return cls(error, error.public)
        return cls(f"unexpected {type(error).__name__}: {error}", HIDDEN)

    @classmethod
    def joined(cls, *parts: str) -> Self:
        """Several reasons as one; a part that is a plain str is for everybody. Equal public texts appear once."""
        public_texts = dict.fromkeys(part.public if isinstance(part, Reason) else part for part in parts)
        return cls("; ".join(parts), "; ".join(public_texts))


def public(reason: str) -> str:
    """The text of a reason that everybody may read."""
    return getattr(reason, "public", HIDDEN)


class Error(Explained):
    """The base of errors with an HTTP status.

    `message` is a format string filled from keyword arguments; a finished text may be passed instead. `public` is the
    text for members where the other is for administrators. `kwargs` is transmitted with the error in RPC replies.
    """

    status: int = 500
    message: str = "the request could not be carried out"
    #: Seconds after which a client may try again, sent as the header Retry-After; None without that header.
    retry_after: int | None = None

    def __init__(self, text: object = None, public: str | None = None, **values: Any) -> None:
        super().__init__(text if text is not None else self.message.format(**values))
        self.values: dict[str, Any] = values
        self.kwargs: dict[str, Any] = {}
        if public is not None:
            self.for_members, self.kwargs = public, {"public": public}


def as_raised(error: Error) -> Error:
    """Restore an error that another process raised: over a broker its text arrives with that process's traceback."""
    if not type(error).__name__.endswith("_Remote"):
        return error
    original = next(base for base in type(error).__mro__ if base.__module__ == __name__)
    return original(*error.args, **error.kwargs)


class BadRequest(Error):
    status = 400


class Unauthorized(Error):
    status = 401
    message = "the request needs a valid token"


class Forbidden(Error):
    status = 403


class NotFound(Error):
    status = 404
    message = "The resource could not be found."


class NotAcceptable(Error):
    status = 406


class Conflict(Error):
    status = 409


class ServerUsesVolume(Conflict):
    message = "Server {server_id} uses the volume: detach it with the Compute API."


class PreconditionFailed(Error):
    status = 412


class OverLimit(Error):
    status = 413


class BadMediaType(Error):
    status = 415
    message = "the content type '{content_type}' is not understood; send application/json"


class TooManyRequests(Error):
    status = 429
    retry_after = 1


class TooManyLogins(TooManyRequests):
    message = "Too many passwords are being checked; try again in a moment."


class Unavailable(Error):
    status = 503


class ImageServiceUnavailable(Unavailable):
    message = "The image service cannot be used: {reason}"
    for_members = "The image service cannot be used at the moment; try again later."


class NoImageService(BadRequest):
    message = "There is no image service: {reason}"


class InvalidInput(BadRequest):
    message = "Invalid input received: {reason}"


class InvalidVersion(BadRequest):
    message = "API Version String {version} is of invalid format. It must be 'volume MAJOR.MINOR' or 'volume latest'."


class VersionOutOfRange(NotAcceptable):
    message = "Version {version} is not supported by the API. Minimum is {minimum} and maximum is {maximum}."


class VersionNotFound(NotFound):
    message = "API version {version} has no such operation; it needs at least {since}"


class PolicyNotAuthorized(Forbidden):
    message = "Policy doesn't allow {rule} to be performed."


class VolumeNotFound(NotFound):
    message = "Volume {id} could not be found."


class SnapshotNotFound(NotFound):
    message = "Snapshot {id} could not be found."


class BackupNotFound(NotFound):
    message = "Backup {id} could not be found."


class AttachmentNotFound(NotFound):
    message = "Volume attachment {id} could not be found."


class ImageNotFound(NotFound):
    message = "Image {id} could not be found."


class TypeNotFound(NotFound):
    message = "Volume type {id} could not be found."


class TypeExists(Conflict):
    message = "Volume Type {name} already exists."


class AccessExists(Conflict):
    message = "Volume type access for {type_id} / {project_id} combination already exists."


class AccessNotFound(NotFound):
    message = "Volume type access not found for {type_id} / {project_id} combination."


class TransferNotFound(NotFound):
    message = "Transfer {id} could not be found."


class GroupNotFound(NotFound):
    message = "Group {id} could not be found."


class GroupSnapshotNotFound(NotFound):
    message = "GroupSnapshot {id} could not be found."


class GroupTypeNotFound(NotFound):
    message = "Group type {id} could not be found."


class GroupTypeExists(Conflict):
    message = "Group Type {name} already exists."


class QosNotFound(NotFound):
    message = "QoS spec {id} could not be found."


class QosKeyNotFound(NotFound):
    message = "QoS spec {id} has no spec with key {key}."


class QosExists(Conflict):
    message = "QoS spec {name} already exists."


class ExtraSpecNotFound(NotFound):
    message = "Volume Type {type_id} has no extra specs with key {key}."


class MetadataNotFound(NotFound):
    message = "Metadata item '{key}' was not found on {kind} {id}."


class MessageNotFound(NotFound):
    message = "Message {id} could not be found."


class ServiceNotFound(NotFound):
    message = "Service {binary} could not be found on host {host}."


class ServiceUnknown(NotFound):
    message = "There is no volume service {host}; the volume services are: {known}."
    for_members = "There is no such volume service."


class HostNotFound(NotFound):
    message = "Host {host} could not be found."


class ClusterNotFound(NotFound):
    message = "Cluster {name} could not be found."


class JobNotFound(NotFound):
    message = "Job {id} could not be found."


class MarkerNotFound(NotFound):
    message = "Marker {id} could not be found."


class InvalidState(BadRequest):
    """An action was refused by a resource's status or by one of its guards."""

    message = "Invalid {kind}: {reason}"


class StateConflict(Conflict):
    message = "Invalid {kind}: {reason}"


class ConnectionEnded(InvalidState):
    """The attachment was deleted while its connection was being set up."""

    message = "Invalid volume: the connection to volume {id} was ended while it was being made"


class BackendDown(Unavailable):
    message = "The volume service that volume {id} belongs to is down; try again when it is up."
    retry_after = 10


class OverQuota(OverLimit):
    """A quota is exhausted. `code` is Cinder's name of the case, such as VolumeLimitExceeded."""

    message = "{code}: {reason}"


#: The text for members where a pool is full.
NO_CAPACITY = "Invalid input received: There is not enough free capacity for {size} GiB more."


class NoCapacity(BadRequest):
    message = "Invalid input received: {reason}"


class BackendFailed(Error):
    """A driver or target failed; the text is the one that it reported."""

    message = "{reason}"
    for_members = STORAGE


class OnAnotherHost(Error):
    """The data of a volume can be opened on its own host only."""

    message = ("the volumes of {backend} are files or devices of {host}, which {asking} cannot open: run a backup "
               "service on {host} to back them up")
    for_members = "no running service can reach the volume's data; an administrator can change that"


class DefaultTypeMissing(Error):
    message = "The default volume type '{name}' could not be found: create it or set default_volume_type."


class NameTaken(Error):
    """Another process has the name of a service."""

    message = "{binary} {host} is run by another process, on {machine}"
    for_members = HIDDEN


class Stale(Error):
    """Another owner has claimed the job: the result of this attempt must not be recorded."""

    message = "job {id} has been taken over (attempt {attempt} is not the latest)"
    for_members = HIDDEN
