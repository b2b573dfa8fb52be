"""Loads the driver and the target of each backend, and calls them under the name host@backend."""

import contextlib
import logging
import os
import typing
from collections.abc import Callable

from oslo_config import cfg

from cinder_lite.concurrency import locks
from cinder_lite.concurrency.awaited import Awaited
from cinder_lite.db import volumes
from cinder_lite.volume import driver_calls, loading
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)

class Backend:
    """The driver and target of one section. Its methods block; calls of the driver and target run in native threads."""

    def __init__(self, conf: cfg.ConfigOpts, section: str) -> None:
        (driver, target), self.options = loading.load(conf, section)
        self.section = section
        #: The name of the service, of its cluster or None, and the cluster's id, once it is that of the storage.
        self.member = f"{self.options.backend_host}@{section}"
        self.cluster = f"{self.options.cluster}@{section}" if self.options.cluster else None
        self.cluster_id: str | None = None
        self.name = self.cluster or self.member
        self.zone = self.options.backend_availability_zone or conf.storage_availability_zone
        self.driver = driver(self.options, section)
        # Whatever a member that lost a job makes after that, another one may have removed.
        self.driver.needs_fence |= self.cluster is not None
        self.target = None
        if isinstance(self.driver, drivers.HasPath) and not isinstance(self.driver, drivers.Connects):
            self.target = target(self.options, os.path.join(conf.state_path, "targets", section))
        self.up, self.addresses = False, ()
        self.reason: str | None = "it is being started"
        self._checks = Awaited()
        #: The columns that make a volume belong to this service; set by the service when it has its row.
        self.ownership = volumes.ownership(None)
        #: By volume id: serializes changes of a volume's exports.
        self.locks = locks.Named()

    @property
    def protocol(self) -> str | None:
        return self.target.protocol if self.target is not None else self.driver.protocol

    @property
    def same_host(self) -> bool:
        """Whether only processes of this host open the bytes of volumes by their location."""
        return self.target is not None and self.target.same_host

    def check(self) -> None:
        """Check whether the backend works: sets `up` and `reason`, logs a change."""
        reason = self.failure()
        if reason is None and not self.up:
            LOG.info("backend %s is up", self.name)
        if reason is not None and (self.up or self.reason != reason):
            LOG.error("backend %s is down: %s", self.name, reason)
        self.up, self.reason = reason is None, reason

    def failure(self) -> str | None:
        """Why the backend does not work now, with the remedy; None if it works."""
        try:
            with self._checks.answer():
                self.call(self.driver.check)
                if self.cluster is not None:
                    self.cluster_id = self.call(self.driver.join, self.cluster, self.cluster_id)
                if self.target is not None:
                    self.call(self.target.check)
                    self.addresses = self.call(self.target.addresses)
        except (drivers.DriverError, targets.TargetError) as error:
            return str(error)
        return None

    def problem(self, limit: float) -> str | None:
        """Why the backend does not work, or a check of it that has had no answer for `limit` seconds; or None."""
        return self.hangs(limit) or (None if self.up else self.reason)

    def hangs(self, limit: float) -> str | None:
        """A sentence if a check has had no answer for `limit` seconds, or None."""
        return self._checks.hanging(limit)

    def addresses_changed(self) -> bool:
        """Whether the addresses on which volumes are exported differ from those of the last check."""
        if self.target is None:
            return False
        try:
            return not self.up or self.call(self.target.addresses) != self.addresses
        except targets.TargetError:
            return self.up

    def call(self, function: Callable, *args: object, **kwargs: object) -> typing.Any:
        """Call a method of the driver or target in a native thread."""
        return driver_calls.call(function, *args, **kwargs)

    def remove_exports(self, volume: drivers.Volume) -> None:
        """Remove all exports of a volume."""
        if self.target is not None:
            with self.locks[volume.id]:
                self.call(self.target.remove_all, volume.name)

    def content(self, volume: drivers.Volume) -> dict:
        """The location of a volume's bytes (see cinder_lite.blockio.device), ready to be opened."""
        if isinstance(self.driver, drivers.Connects):
            return self.driver.content(volume)
        self.call(self.driver.activate, volume)
        return {"path": os.fspath(self.driver.path(volume))}

    def snapshot_content(self, snapshot: drivers.Snapshot) -> dict:
        """The location of a snapshot's bytes, ready to be opened."""
        if isinstance(self.driver, drivers.Connects):
            return self.driver.snapshot_content(snapshot)
        self.call(self.driver.activate_snapshot, snapshot)
        return {"path": os.fspath(self.driver.snapshot_path(snapshot))}

    def measure(self) -> list[tuple[str, dict]]:
        """The pools as they are now: [(name, columns of db.pools)]."""
        with self._checks.answer():
            found = self.call(self.driver.pools)
        return [(f"{self.name}#{stats.name}", self._values(stats)) for stats in found]

    def _values(self, stats):
        is_number = isinstance(stats.total_gb, int | float), isinstance(stats.free_gb, int | float)
        return {
            "total_gb": stats.total_gb if is_number[0] else None,
            "total_word": None if is_number[0] else stats.total_gb,
            "free_gb": stats.free_gb if is_number[1] else None,
            "free_word": None if is_number[1] else stats.free_gb,
            "provisioned_gb": stats.provisioned_gb, "thin": stats.thin, "thick": stats.thick,
            "multiattach": stats.multiattach, "online_extend": stats.online_extend,
            "reserved_percentage": self.options.reserved_percentage,
            "max_over_subscription_ratio": _short(stats.max_over_subscription_ratio or str(
                self.options.max_over_subscription_ratio)),
            "capabilities": self._capabilities(stats)}

    def _capabilities(self, stats):
        return {
            "volume_backend_name": self.options.volume_backend_name or self.section,
            "vendor_name": self.driver.vendor, "driver_version": self.driver.version,
            "storage_protocol": self.protocol, "QoS_support": isinstance(self.driver, drivers.AppliesQos),
            **self._protection(),
            "filter_function": self.options.filter_function, "goodness_function": self.options.goodness_function,
            "location_info": f"{type(self.driver).__name__}:{self.name}", **stats.capabilities}

    def _protection(self) -> dict:
        """The capabilities of replication and encryption at rest."""
        found: dict = {"replication_enabled": isinstance(self.driver, drivers.Replicates)}
        if isinstance(self.driver, drivers.Replicates):
            found["replication_targets"] = list(self.call(self.driver.replication_targets))
        if isinstance(self.driver, drivers.Encrypts):
            found["encryption_at_rest"] = True
            found["encryption_cipher"] = self.call(self.driver.cipher)
        return found


def _short(ratio):
    """A ratio rounded to the 10 characters of its column."""
    with contextlib.suppress(ValueError):
        return ratio if len(ratio) <= 10 else f"{float(ratio):.6g}"[:10]
    return ratio[:10]
