"""The interface of drivers, which create, copy, measure and open the volumes of a backend.

A driver gets its options and frozen values, and returns facts to store. It does not use the database, messages,
statuses or threads: the volume service calls it from native threads, concurrently for different volumes (never for the
same one), and can repeat any call after a crash. So creating an existing object and removing a missing one succeed, and
incomplete objects are removed first.
"""

import abc
import dataclasses
import typing
from collections.abc import Callable, Iterable

from oslo_config import cfg

from cinder_lite import errors

GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class Volume:
    """The driver's view of a volume. `size` is in GiB; `facts` is what the driver returned at creation.

    `qos` are the limits that the backend has to apply, {Cinder's key: text} (see `AppliesQos`).
    """

    id: str
    size: int
    facts: dict = dataclasses.field(default_factory=dict)
    extra_specs: dict = dataclasses.field(default_factory=dict)
    name_id: str | None = None
    qos: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The object's name on the backend, the same as Cinder's."""
        return f"volume-{self.name_id or self.id}"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The driver's view of a snapshot. `size` is the volume's size in GiB when it was taken."""

    id: str
    size: int
    volume: Volume
    facts: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The object's name on the backend, the same as Cinder's."""
        return f"snapshot-{self.id}"


@dataclasses.dataclass(frozen=True)
class PoolStats:
    """A pool's capacity in GiB and its capabilities; `total_gb` and `free_gb` may be "infinite" or "unknown".

    `provisioned_gb` is the sum of the provisioned sizes, which exceeds the used capacity with thin volumes.
    `max_over_subscription_ratio` replaces the backend's option if the driver has its own. `capabilities` are further
    facts that a volume type's extra specs can require.
    """

    name: str
    total_gb: float | str
    free_gb: float | str
    provisioned_gb: float = 0
    thin: bool = False
    thick: bool = True
    multiattach: bool = False
    online_extend: bool = True
    max_over_subscription_ratio: str | None = None
    capabilities: dict = dataclasses.field(default_factory=dict)


class DriverError(errors.Explained):
    """The backend refused or failed; the text gives the failure and, if known, the remedy."""

    for_members = errors.STORAGE


class BackendDown(DriverError):
    """The whole backend is unusable now (volume group missing, cluster unreachable, directory not mounted)."""

    for_members = "the storage cannot be used at the moment; try again later"


class InUse(DriverError):
    """The object cannot be removed now, because it is open or others depend on it."""

    for_members = "it is in use on the storage: detach it, and delete what was created from it, first"


class Driver(abc.ABC):
    """The methods of every driver. Each may raise DriverError; its text goes to logs and user messages."""

    #: Options of the driver, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = ()
    #: The protocol by which hosts reach the volumes ("iSCSI", "ceph", ...), None if a target exports them.
    protocol: typing.ClassVar[str | None] = None
    #: Why services of several hosts cannot share a backend, unless the driver is Shared.
    unshared: typing.ClassVar[str] = "its volumes are reached from one host alone"
    #: Whether creations, copies and extensions that end late overwrite what the volume's user has written since, or
    #: make again what has been removed: so in a cluster.
    needs_fence = False
    vendor = "Open Source"
    #: Records the duration of calls (see cinder_lite.observe.metrics); set by the service.
    meter: typing.Any = None
    version = "1.0"

    def __init__(self, options: cfg.ConfigOpts, backend: str) -> None:
        """`options` is the backend's section of the configuration, `backend` its name, as in enabled_backends."""
        self.options, self.backend = options, backend

    @abc.abstractmethod
    def check(self) -> None:
        """Raise BackendDown with the reason if the backend does not work now."""

    def run_maintenance(self) -> None:
        """Continue background work (purging, flattening); called at every measurement. Idempotent."""

    def clean_up(self) -> None:
        """Remove what interrupted calls have left; called at start, before any other work. Idempotent."""

    @abc.abstractmethod
    def pools(self) -> tuple[PoolStats, ...]:
        """The present PoolStats of each pool."""

    @abc.abstractmethod
    def create(self, volume: Volume) -> dict:
        """Create an empty volume that reads as zeros. Returns facts (a dict, may be empty)."""

    @abc.abstractmethod
    def delete(self, volume: Volume) -> None:
        """Remove the volume; a missing one is not an error. May raise InUse."""

    @abc.abstractmethod
    def extend(self, volume: Volume, new_size: int) -> None:
        """Grow the volume to `new_size` GiB, attached or not; the new part reads as zeros."""

    @abc.abstractmethod
    def create_snapshot(self, snapshot: Snapshot) -> dict:
        """Take a snapshot of the volume. Returns facts."""

    @abc.abstractmethod
    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Remove the snapshot; a missing one is not an error. May raise InUse."""

    @abc.abstractmethod
    def clone(self, volume: Volume, source: Volume, progress: Callable[[int, int], object]) -> dict:
        """Create `volume` with the content of `source`; it is at least as large. Returns facts.

        `progress(done, whole)` (bytes) is called repeatedly by drivers that copy.
        """

    @abc.abstractmethod
    def from_snapshot(self, volume: Volume, snapshot: Snapshot, progress: Callable[[int, int], object]) -> dict:
        """Create `volume` with the content of `snapshot`; it is at least as large. Returns facts."""

    @abc.abstractmethod
    def names(self) -> Iterable[tuple[str, int | None]]:
        """(name, size in bytes or None) of all volumes and snapshots on the backend, without incomplete ones."""

    def exists(self, volume: Volume) -> bool:
        """Whether the volume is on the backend."""
        return any(name == volume.name for name, _ in self.names())


class HasPath(abc.ABC):
    """A driver whose volumes are files or block devices of this host, which a target exports."""

    @abc.abstractmethod
    def path(self, volume: Volume) -> str:
        """The path of the volume's file or device, which may be inactive."""

    @abc.abstractmethod
    def snapshot_path(self, snapshot: Snapshot) -> str:
        """The path of the snapshot's content, which may be inactive."""

    def activate(self, volume: Volume) -> None:
        """Make the path usable (activate a logical volume); does nothing by default."""

    def deactivate(self, volume: Volume) -> None:
        """Undo `activate`."""

    def activate_snapshot(self, snapshot: Snapshot) -> None:
        """Make the snapshot's path usable, like `activate`; removing the snapshot undoes it."""


class Connects(abc.ABC):
    """A driver with its own protocol (RBD), which provides the connection information itself."""

    @abc.abstractmethod
    def connection(self, volume: Volume, connector: dict | None) -> dict:
        """The connection information for os-brick: {"driver_volume_type": str, "data": {...}}."""

    @abc.abstractmethod
    def disconnect(self, volume: Volume, connector: dict | None) -> None:
        """Undo `connection` for that connector (None: for all)."""

    @abc.abstractmethod
    def content(self, volume: Volume) -> dict:
        """The location of the volume's bytes, as plain data for cinder_lite.blockio.device."""

    @abc.abstractmethod
    def snapshot_content(self, snapshot: Snapshot) -> dict:
        """The location of the snapshot's bytes, like `content`."""


class Shared(abc.ABC):
    """A driver whose storage several hosts reach, so that services of a cluster can use one backend at the same time.

    Its calls are right also while services on other hosts make calls for other volumes; `clean_up` leaves what those
    may be making.
    """

    @abc.abstractmethod
    def join(self, cluster: str, id: str | None) -> str:
        """The cluster's id, which is recorded in the storage, so that all members have the same storage.

        `id` is the one in the database; None if there is none, and then a new one is recorded, unless the storage has
        one. Raises BackendDown if the storage has another or none.
        """


@dataclasses.dataclass(frozen=True)
class Manageable:
    """A volume or snapshot on the backend that could be managed. `size` is in bytes.

    `reference` names it for `manage` (see ManagesExisting.name_of); `reason` is why it cannot be managed, or None;
    `source` is the reference of a snapshot's volume.
    """

    reference: dict
    size: int
    reason: str | None = None
    source: dict | None = None
    extra: dict | None = None


class ManagesExisting(abc.ABC):
    """A driver that can manage existing volumes and snapshots of its backend, created by others.

    The service itself recognizes those that it manages already, by their names.
    """

    @abc.abstractmethod
    def existing_volumes(self) -> list[Manageable]:
        """All volumes on the backend, including those of the service."""

    @abc.abstractmethod
    def existing_snapshots(self) -> list[Manageable]:
        """All snapshots on the backend, including those of the service."""

    def name_of(self, reference: dict) -> str:
        """The name in a reference. Raises DriverError for a malformed reference."""
        name = reference.get("source-name") if isinstance(reference, dict) else None
        if not isinstance(name, str) or not name or not name.isprintable():
            raise DriverError('a reference has the form {"source-name": NAME}, with the object\'s name on the backend')
        return name

    @abc.abstractmethod
    def inspect(self, reference: dict, volume: Volume | None = None) -> Manageable:
        """The volume with that reference, or the snapshot of `volume`. Raises DriverError if there is none."""

    @abc.abstractmethod
    def manage(self, volume: Volume, reference: dict) -> dict:
        """Rename the referenced object to the volume's name. Returns facts. Idempotent."""

    @abc.abstractmethod
    def manage_snapshot(self, snapshot: Snapshot, reference: dict) -> dict:
        """Rename the referenced object to the snapshot's name. Returns facts. Idempotent."""


class AppliesQos(abc.ABC):
    """A driver that limits a volume's I/O rates.

    It applies `volume.qos` when it creates or manages a volume, and raises DriverError for a value that the backend
    refuses. Unknown keys are ignored.
    """

    @abc.abstractmethod
    def apply_qos(self, volume: Volume) -> None:
        """Replace the volume's limits by those of `volume.qos`, attached or not. Idempotent."""


class ClonesImages(abc.ABC):
    """A driver that can clone a raw image on the storage into a volume without copying it."""

    @abc.abstractmethod
    def clone_image(self, volume: Volume, location: str) -> dict | None:
        """Create `volume`, of its own size, with the content of the raw image at `location`, a URL from Glance.

        The volume does not exist yet. Returns facts, or None if the location cannot be cloned.
        """


class Revertable(abc.ABC):
    """A driver that can revert a volume to a snapshot."""

    @abc.abstractmethod
    def revert(self, volume: Volume, snapshot: Snapshot) -> None:
        """Give the volume the snapshot's content; an extended volume keeps its size, with zeros at the end.

        The volume is not attached. Its path may be a new file or device afterwards, so an earlier export has to be
        renewed (`Target.resize` or `Target.export`).
        """


class LosesSnapshots(abc.ABC):
    """A driver whose snapshots can become invalid (when the space for their copied blocks overflows)."""

    @abc.abstractmethod
    def lost_snapshots(self) -> dict[str, str]:
        """{name: reason} of the invalid snapshots."""


class Replicates(abc.ABC):
    """A driver that replicates its volumes to other locations.

    Pools of its backend report `replication_enabled` and `replication_targets`, so that a volume type can require it
    with the extra spec replication_enabled = "<is> True". The driver replicates volumes with it in `extra_specs` from
    `create` (or `clone`, `from_snapshot`) until `delete`, and raises DriverError if replication cannot start. The
    service has no failover: a replica is activated with the backend's own tools.
    """

    @abc.abstractmethod
    def replication_targets(self) -> tuple[str, ...]:
        """The operators' names of the locations to which volumes are replicated. Called at every measurement."""


class Encrypts(abc.ABC):
    """A driver whose backend encrypts all volumes and snapshots with its own keys.

    Pools of its backend report `encryption_at_rest` and `encryption_cipher`, which extra specs of a volume type can
    require: encryption_at_rest = "<is> True". This is unrelated to encrypted volume types, whose keys attaching hosts
    use.
    """

    @abc.abstractmethod
    def cipher(self) -> str:
        """The cipher and its mode, "aes-xts-plain64". Called at every measurement."""
