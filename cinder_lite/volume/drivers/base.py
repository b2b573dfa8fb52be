"""What a driver is: the small set of methods by which a backend makes, copies, measures and opens volumes.

A driver gets its own options and frozen values, and returns facts to keep. It knows no database, no messages, no
status and no threads: the volume service calls it from native threads, several calls at a time for different volumes
(never two for one volume), and may call any method again after a crash in the middle of it. So making what exists and
removing what is gone is success, and what is half made is removed first.
"""

import abc
import dataclasses
import typing

from cinder_lite import errors

GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume as a driver sees it. `size` is in GiB; `facts` is what the driver returned when it made it.

    `qos` are the limits that the backend has to apply, {Cinder's key: text} (see `AppliesQos`).
    """

    id: str
    size: int
    facts: dict = dataclasses.field(default_factory=dict)
    extra_specs: dict = dataclasses.field(default_factory=dict)
    name_id: str | None = None
    qos: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        """The object's name on the backend, as Cinder names it."""
        return f"volume-{self.name_id or self.id}"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A snapshot as a driver sees it. `size` is the volume's size in GiB when it was taken."""

    id: str
    size: int
    volume: Volume
    facts: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        """The object's name on the backend, as Cinder names it."""
        return f"snapshot-{self.id}"


@dataclasses.dataclass(frozen=True)
class PoolStats:
    """What a pool can hold. Capacities in GiB; `total_gb` and `free_gb` may be "infinite" or "unknown".

    `provisioned_gb` is the sum of the sizes that were promised, which exceeds what is used when volumes are thin.
    `max_over_subscription_ratio` stands in for the backend's when the driver has an option of its own. `capabilities` is
    whatever else a volume type's extra specs may ask for.
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
    """The backend refused or failed; the text says what failed and, where it is known, what to do."""

    for_members = errors.STORAGE


class BackendDown(DriverError):
    """The backend as a whole cannot be used now (volume group missing, cluster unreachable, directory unmounted)."""

    for_members = "the storage cannot be used at the moment; try again later"


class InUse(DriverError):
    """The object cannot be removed now because something depends on it."""

    for_members = "it is in use on the storage: detach it, and delete what was made of it, first"


class Driver(abc.ABC):
    """The methods every driver has. Each may raise DriverError; its text goes into logs and user messages."""

    #: Options of the driver, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple] = ()
    #: The protocol by which hosts reach the volumes ("iSCSI", "ceph", ...), None when a target exports them.
    protocol: typing.ClassVar[str | None] = None
    vendor = "Open Source"
    #: Who counts calls (see cinder_lite.observe.metrics): set by the service.
    meter = None
    version = "1.0"

    def __init__(self, options, backend):
        """`options` is the backend's section of the configuration; `backend` its name, as in enabled_backends."""
        self.options, self.backend = options, backend

    @abc.abstractmethod
    def check(self):
        """Find out whether the backend can work now; raise BackendDown with the reason when it cannot."""

    def run_maintenance(self):
        """Go on with work that nobody waits for (purging, flattening); called at every measurement. Idempotent."""

    def clean_up(self):
        """Remove what calls cut off by a crash have left behind; called at start, before any other work. Idempotent."""

    @abc.abstractmethod
    def pools(self):
        """A tuple of PoolStats, measured now."""

    @abc.abstractmethod
    def create(self, volume):
        """Make an empty volume that reads as zeros. Returns facts (a dict, may be empty)."""

    @abc.abstractmethod
    def delete(self, volume):
        """Remove the volume. One that does not exist is removed already. May raise InUse."""

    @abc.abstractmethod
    def extend(self, volume, new_size):
        """Grow the volume to `new_size` GiB, attached or not; the new part reads as zeros."""

    @abc.abstractmethod
    def create_snapshot(self, snapshot):
        """Keep the volume's present content under the snapshot's name. Returns facts."""

    @abc.abstractmethod
    def delete_snapshot(self, snapshot):
        """Remove the snapshot. One that does not exist is removed already. May raise InUse."""

    @abc.abstractmethod
    def clone(self, volume, source, progress):
        """Make `volume` with the content of `source`, and of at least its size. Returns facts.

        `progress(done, whole)` (bytes) is called now and then by drivers that copy.
        """

    @abc.abstractmethod
    def from_snapshot(self, volume, snapshot, progress):
        """Make `volume` with the content of `snapshot`, and of at least its size. Returns facts."""

    @abc.abstractmethod
    def names(self):
        """The names of all volumes and snapshots on the backend: an iterable of (name, size in bytes or None).

        What is half made is not among them.
        """

    def exists(self, volume):
        """Whether the volume is on the backend."""
        return any(name == volume.name for name, _ in self.names())


class HasPath(abc.ABC):
    """A driver whose volumes are files or block devices of this host, so that a target can export them."""

    @abc.abstractmethod
    def path(self, volume):
        """The path of the volume's file or device; it need not be open or active yet."""

    @abc.abstractmethod
    def snapshot_path(self, snapshot):
        """The path by which the snapshot's content can be read."""

    def activate(self, volume):
        """Make the path usable (activate a logical volume); does nothing where it always is."""

    def deactivate(self, volume):
        """Undo `activate`."""

    def activate_snapshot(self, snapshot):
        """Make the snapshot's path usable, as `activate` does; its removal undoes it."""


class Connects(abc.ABC):
    """A driver whose volumes have a protocol of their own (RBD): it says itself how a host connects."""

    @abc.abstractmethod
    def connection(self, volume, connector):
        """What os-brick needs: {"driver_volume_type": str, "data": {...}}."""

    @abc.abstractmethod
    def disconnect(self, volume, connector):
        """Undo what `connection` did for that connector (None: for all)."""

    @abc.abstractmethod
    def content(self, volume):
        """Where the volume's bytes are, as plain data for `content.reader` and `content.writer` of any process here."""

    @abc.abstractmethod
    def snapshot_content(self, snapshot):
        """Where the snapshot's bytes are, as plain data for `content.reader`."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A volume or snapshot on the backend that could be taken over. `size` is in bytes.

    `reference` names it for `adopt` (see Manages.name_in); `reason` says why it cannot be taken over, None when it can;
    `source` is, of a snapshot, the reference of its volume.
    """

    reference: dict
    size: int
    reason: str | None = None
    source: dict | None = None
    extra: dict | None = None


class Manages(abc.ABC):
    """A driver that takes over volumes and snapshots which others made on its backend.

    What belongs to the service already is recognised by its name alone: the service marks it as managed.
    """

    @abc.abstractmethod
    def foreign_volumes(self):
        """A list of Found: every volume on the backend, those of the service too."""

    @abc.abstractmethod
    def foreign_snapshots(self):
        """A list of Found: every snapshot on the backend, those of the service too."""

    def name_in(self, reference):
        """The name that a reference gives. Raises DriverError for what is no reference here, whatever there is."""
        name = reference.get("source-name") if isinstance(reference, dict) else None
        if not isinstance(name, str) or not name or not name.isprintable():
            raise DriverError('what is to be managed is named by {"source-name": NAME}, with the name that it has on the '
                              "backend")
        return name

    @abc.abstractmethod
    def inspect(self, reference, volume=None):
        """The Found of that reference: a volume, or a snapshot of `volume`. Raises DriverError with what is wrong."""

    @abc.abstractmethod
    def adopt(self, volume, reference):
        """Give what the reference names the volume's name; repeated, success. Returns facts."""

    @abc.abstractmethod
    def adopt_snapshot(self, snapshot, reference):
        """Give what the reference names the snapshot's name; repeated, success. Returns facts."""


class AppliesQos(abc.ABC):
    """A driver that limits what is read from and written to a volume per second.

    It applies `volume.qos` whenever it makes a volume or takes one over, and raises DriverError for a value that the
    backend does not take. Keys that it does not know are ignored.
    """

    @abc.abstractmethod
    def apply_qos(self, volume):
        """Give the volume the limits of `volume.qos` and no others, attached or not. Idempotent."""


class ClonesImages(abc.ABC):
    """A driver that can make a volume of a raw image where that lies, without anybody copying it."""

    @abc.abstractmethod
    def clone_image(self, volume, location):
        """Make `volume` with the content of the raw image at `location`, a URL of Glance's, and of its own size.

        The volume does not exist yet. Returns facts, or None when nothing can be cloned from there.
        """


class Revertable(abc.ABC):
    """A driver that can set a volume back to a snapshot by itself."""

    @abc.abstractmethod
    def revert(self, volume, snapshot):
        """Give the volume the snapshot's content; a volume that has grown since keeps its size, zeros at the end.

        The volume is not attached. Its path may lead to a new file or device afterwards, so that an export made
        before has to be renewed (`Target.resize` or `Target.export`).
        """


class LosesSnapshots(abc.ABC):
    """A driver whose snapshots can become worthless by themselves (when the room for what they keep overflows)."""

    @abc.abstractmethod
    def lost_snapshots(self):
        """{name: reason} of the snapshots that cannot be read any more."""


class Replicates(abc.ABC):
    """A driver that copies what is written to its volumes to other places by itself.

    Pools of its backend report `replication_enabled` and `replication_targets`, so that a volume type asks for it by the
    extra spec replication_enabled = "<is> True". The driver replicates the volumes whose `extra_specs` have it, from `create`
    (and `clone`, `from_snapshot`) on until `delete`, and raises DriverError where it cannot begin to. The service has no
    failover: a copy is brought into use with the backend's own tools.
    """

    @abc.abstractmethod
    def replication_targets(self) -> tuple[str, ...]:
        """The names of the places to which volumes are copied, as operators know them. Called at every measurement."""


class Encrypts(abc.ABC):
    """A driver whose backend stores every volume and snapshot encrypted, by keys that the backend keeps.

    Pools of its backend report `encryption_at_rest` and `encryption_cipher`, which extra specs of a volume type ask for:
    encryption_at_rest = "<is> True". It has nothing to do with the keys of encrypted volume types, which attaching hosts use.
    """

    @abc.abstractmethod
    def cipher(self) -> str:
        """The cipher and its mode, "aes-xts-plain64". Called at every measurement."""
