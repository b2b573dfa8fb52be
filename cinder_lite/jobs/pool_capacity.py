"""Computes the capacity of pools, in GiB: the one place for the filter, the weigher and the UPDATE that takes it."""

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping

from cinder_lite import db

DEFAULT_RATIO = 20.0


@dataclasses.dataclass(frozen=True)
class Pool:
    """A pool as its volume service last reported it, with the state of that service.

    `total_gb` and `free_gb` are numbers, "infinite" or "unknown"; None means that nothing was reported yet.
    `provisioned_gb` is what anyone has provisioned on the backend, `allocated_gb` what this service has.
    `max_over_subscription_ratio` is a number or "auto". `capabilities` is whatever else the driver reports.
    """

    host: str
    backend: str
    pool: str
    availability_zone: str = "nova"
    service_up: bool = True
    service_disabled: bool = False
    frozen: bool = False
    backend_up: bool = True
    backend_reason: str = ""
    total_gb: float | str | None = "unknown"
    free_gb: float | str | None = "unknown"
    provisioned_gb: float = 0
    allocated_gb: float = 0
    reserved_percentage: int = 0
    max_over_subscription_ratio: float | str = str(DEFAULT_RATIO)
    thin: bool = False
    thick: bool = True
    multiattach: bool = False
    online_extend: bool = True
    volume_count: int = 0
    capabilities: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    #: What was calculated from these values, by whatever it depends on besides.
    known: dict = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    @functools.cached_property
    def service_host(self) -> str:
        """The host string of the volume service: "host@backend"."""
        return f"{self.host}@{self.backend}"

    @functools.cached_property
    def name(self) -> str:
        """The whole host string: "host@backend#pool"."""
        return f"{self.host}@{self.backend}#{self.pool}"

    @property
    def reported(self) -> bool:
        """Whether the backend has reported its capacity."""
        return self.total_gb is not None and self.free_gb is not None


@dataclasses.dataclass(frozen=True)
class Request:
    """A request for capacity. `size` is the GiB to be added: the whole volume, or the difference of an extend.

    `volume` has the values of `volume.x` in expressions. `excluded` are host strings (with or without pool) that were
    tried already. `only_backend` ("host@backend") or `only_pool` ("host@backend#pool") is set when the place is fixed,
    `only_because` is the reason. `volume_hosts` maps the volume ids of the hints same_host and different_host to
    host strings; `instance_host` is the hypervisor's host name for the hint local_to_instance. `existing_pool` is the
    pool of a volume that is retyped: its capacity is taken already.
    """

    size: int
    operation: str = "create"
    zones: tuple[str, ...] = ()
    extra_specs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    qos_specs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    volume: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    attached: bool = False
    excluded: tuple[str, ...] = ()
    only_backend: str | None = None
    only_pool: str | None = None
    only_because: str = ""
    hints: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    volume_hosts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    instance_host: str | None = None
    existing_pool: str | None = None

    @classmethod
    def of(cls, job: db.Row, volume: db.Row, **more: typing.Any) -> "Request":
        """The request for a volume's row and its job; `more` are further fields."""
        more.setdefault("zones", (volume.availability_zone,) if volume.availability_zone else ())
        more.setdefault("qos_specs", volume.type_qos_specs or {})
        described = {"size": volume.size, "name": volume.name, "id": volume.id, "project_id": volume.project_id}
        return cls(size=volume.size, excluded=tuple(job.args.get("tried", ())), volume=described, **more)

    @functools.cached_property
    def kind(self) -> tuple:
        """All that filters may look at besides the volume itself and the hints."""
        return (self.size, self.operation, self.zones, tuple(self.extra_specs.items()), self.attached, self.excluded,
                self.only_backend, self.only_pool, self.only_because, self.existing_pool)

    @functools.cached_property
    def thin(self) -> bool:
        """Whether the volume may be thin; it is where the pool supports it."""
        return str(self.extra_specs.get("provisioning:type", "")).strip().lower() != "thick"


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The capacity that a request needs, as numbers for one conditional UPDATE of the pool's row.

    provisioned_gb + take <= provisioned_limit and free_gb >= free_needed, where None means no such bound; then
    provisioned_gb grows by `take` and free_gb shrinks by `free_taken`. `refused` is the reason why the pool takes
    nothing.
    """

    take: float = 0
    provisioned_limit: float | None = None
    free_needed: float | None = None
    free_taken: float = 0
    refused: str | None = None

    def admit(self, pool: Pool) -> bool:
        """Whether the pool, as reported, has this capacity."""
        if self.refused is not None:
            return False
        if self.provisioned_limit is not None and pool.provisioned_gb + self.take > self.provisioned_limit:
            return False
        return self.free_needed is None or (amount(pool.free_gb) or 0) >= self.free_needed


def amount(value: float | str | None) -> float | None:
    """A reported capacity as a number of GiB, or None when it is infinite, unknown or not reported."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def bounds(pool: Pool, request: Request) -> Bounds:
    """The Bounds within which the pool can take the request.

    Thick: provisioned + asked <= total - reserved, and the asked size is really free.
    Thin: provisioned + asked <= (total - reserved) x ratio, and the asked size divided by the ratio is really free, so
    a full pool takes nothing whatever its ratio. (Cinder divides by the capacity that already contains the
    ratio, so that its ratio test hardly ever refuses, and does not look at what is free.)
    """
    if request.size <= 0 or pool.name == request.existing_pool:
        return Bounds()
    thin = request.thin and pool.thin
    refused = _refused(pool, thin)
    if refused is not None:
        return Bounds(take=request.size, refused=refused)
    if amount(pool.free_gb) is None:
        return Bounds(take=request.size)
    # Rounded, because the ratio makes 114.99999999999999 of 115.
    needed = round(request.size / (ratio(pool, thin) or 1), 6)
    return Bounds(request.size, provisioned_limit(pool, thin), needed, 0 if thin else request.size)


def virtual_free(pool: Pool, thin: bool) -> float | None:
    """The largest size in GiB that the pool can take now, or None when it is infinite or unknown.

    `thin`: whether the volume may be thin; a pool without thin support counts as thick all the same.
    """
    thin = thin and pool.thin
    if _refused(pool, thin) is not None:
        return 0.0
    free, limit = amount(pool.free_gb), provisioned_limit(pool, thin)
    if free is None:
        return None
    available = free * (ratio(pool, thin) or 0)
    if limit is not None:
        available = min(available, limit - pool.provisioned_gb)
    return max(available, 0.0)


def reserved(pool: Pool) -> int:
    """GiB that are kept free: whole GiB, rounded down; 0 when the total is not known."""
    return math.floor((amount(pool.total_gb) or 0) * pool.reserved_percentage / 100)


def provisioned_limit(pool: Pool, thin: bool) -> float | None:
    """GiB that may be provisioned altogether, or None when the total is not known."""
    total = amount(pool.total_gb)
    return None if total is None else round((total - reserved(pool)) * (ratio(pool, thin) or 0), 6)


def ratio(pool: Pool, thin: bool) -> float | None:
    """How many GiB may be provisioned for each real one; None when the pool's setting is neither a number nor "auto".

    "auto" follows what was provisioned for each used GiB until now: 1 + provisioned / (used + 1), or 20 at the start.
    """
    if not (thin and pool.thin):
        return 1.0
    if pool.max_over_subscription_ratio != "auto":
        return amount(pool.max_over_subscription_ratio)
    total, free = amount(pool.total_gb), amount(pool.free_gb)
    if not pool.provisioned_gb or total is None or free is None:
        return DEFAULT_RATIO
    return 1 + pool.provisioned_gb / (max(total - free, 0) + 1)


def _refused(pool, thin):
    """Why the pool can take nothing at all, or None. `thin` is whether the volume will be thin there."""
    if not pool.reported:
        return "it has not reported its capacity yet"
    if thin and (ratio(pool, thin) or 0) < 1:
        return f"max_over_subscription_ratio is '{pool.max_over_subscription_ratio}'; it can be 'auto' or at least 1"
    if amount(pool.free_gb) is None:
        return None
    total = amount(pool.total_gb)
    if total is None and pool.reserved_percentage:
        return f"its total capacity is {pool.total_gb}, so {pool.reserved_percentage} % of it cannot be kept in reserve"
    if total is not None and total <= 0:
        return "its total capacity is 0 GiB"
    return None


#: Columns of a pool's row that are fields of a Pool as they are.
_REPORTED = ("provisioned_gb", "allocated_gb", "reserved_percentage", "max_over_subscription_ratio", "thin", "thick",
             "multiattach", "online_extend", "volume_count", "capabilities")


def as_pool(row: db.Row, down_time: float) -> Pool:
    """A row of pools.with_services as a Pool; `down_time` is in seconds."""
    host, _, backend = row.service_host.partition("@")
    fields: dict[str, typing.Any] = {"pool": "", "total_gb": None, "free_gb": None}
    if row.name is not None:
        fields = {"pool": row.name.partition("#")[2], "total_gb": row.total_word or row.total_gb,
                  "free_gb": row.free_word or row.free_gb, **{name: getattr(row, name) for name in _REPORTED}}
    return Pool(host=host, backend=backend, availability_zone=row.availability_zone,
                service_up=db.is_recent(row.seen_at, down_time), service_disabled=row.disabled, frozen=row.frozen,
                backend_up=row.backend_up, backend_reason=row.backend_reason or "", **fields)
