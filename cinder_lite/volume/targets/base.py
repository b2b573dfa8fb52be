"""The interface of targets, which export a local file or block device to other hosts.

Like a driver, a target does not use the database, and every call can be repeated after a crash: exporting again and
removing a missing export succeed. Calls come from native threads, concurrently for different volumes.
"""

import abc
import contextlib
import dataclasses
import logging
import os
import typing
from collections.abc import Sequence

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.host import network

LOG = logging.getLogger(__name__)

#: The address of this host on which targets listen; the only option that all targets share.
ADDRESS = cfg.StrOpt("target_ip_address", default="127.0.0.1",
                     help="Address of this host on which volumes are exported, or the name of a network interface "
                          "(eth1), whose first global IPv4 address, else first global IPv6 address, is used. 127.0.0.1 "
                          "is reachable from this host only; set the storage network's address to serve other hosts.")


@dataclasses.dataclass(frozen=True)
class Access:
    """An initiator that has access, and its own secret, "CHAP user secret" or None."""

    initiator: str
    auth: str | None = None
    read_only: bool = False


@dataclasses.dataclass(frozen=True)
class Export:
    """The recorded facts of an export, sufficient to create the same export again after a restart.

    `location` is in Cinder's form for iSCSI, "portal[;portal...],group iqn lun", None before it was exported; `auth` is
    "CHAP user secret" or None; `accesses` are the initiators with access, None for all that have the secret `auth`.
    """

    location: str | None
    auth: str | None = None
    accesses: tuple[Access, ...] | None = None


#: How a target separates the connections of one volume: by one export each, by the initiator's name within one export,
#: or not at all.
SEPARATE, BY_INITIATOR, TOGETHER = "separate", "by initiator", "together"
#: The driver_volume_type of connections that the previous release exports under the volume's name.
FORMER_KINDS = ("iscsi", "nbd")
#: Separates a volume's name from the suffix of its further exports.
SUFFIX_SEPARATOR = "."


def volume_of(name: str) -> str:
    """The volume's name within the name of an export."""
    return name.partition(SUFFIX_SEPARATOR)[0]


class TargetError(errors.Explained):
    """The target refused or failed; the text gives the failure and, if known, the remedy."""

    for_members = errors.STORAGE


def portal(address: str, port: int | str) -> str:
    """An address and a port in the usual form, with brackets around IPv6 addresses."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def identity(path: str | os.PathLike) -> str:
    """The identity and size of the file or device at a path, "device:inode:bytes". Raises TargetError if it is missing.

    A daemon that opened the path earlier still serves the earlier file and size.
    """
    try:
        with open(path, "rb") as file:
            stat = os.fstat(file.fileno())
            return f"{stat.st_dev}:{stat.st_ino}:{file.seek(0, os.SEEK_END)}"
    except OSError as error:
        raise TargetError(f"cannot export {path}: {error.strerror}") from error


class ExportState:
    """Stores one line of state per export, in a file of that name in a directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def __contains__(self, name: object) -> bool:
        return os.path.exists(self._path(name))

    def _path(self, name):
        return os.path.join(self._directory, name)

    def read(self, name: str) -> str:
        """The line, "" if there is none."""
        try:
            with open(self._path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def write(self, name: str, line: str) -> None:
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            with open(self._path(name), "w") as file:
                file.write(line)
        except OSError as error:
            raise TargetError(f"cannot write to {self._directory}: {error.strerror}") from error

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def names(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self._directory)
        return []


class Target(abc.ABC):
    """Exports devices of this host. There is one instance per backend."""

    #: Options of the target, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = ()
    #: The storage_protocol of pools. Other hosts read an exported volume by the entry point of that name in
    #: cinder_lite.volume.readers (see readers.Reader); without one, volumes cannot be migrated to other hosts.
    protocol: typing.ClassVar[str]
    #: Whether other hosts reach a volume by the protocol alone; False if its file or device has the same path on all.
    same_host: typing.ClassVar[bool] = True
    #: Whether hosts can connect; enabled once all volumes in use are exported again. The next `check` applies it.
    access_enabled = False

    def __init__(self, options: cfg.ConfigOpts, state_path: str) -> None:
        """`options` is the backend's section; `state_path` a directory of the target that persists over restarts."""
        self.options, self.state_path = options, state_path
        self._state = ExportState(state_path)
        self._lost: list[str] = []

    def usable(self, *words: str) -> list[str]:
        """The usable addresses of this host among `words`, which are addresses or names of network interfaces.

        Raises TargetError with the reasons if none is usable.
        """
        found, lost = network.choose(*words)
        if not found:
            raise TargetError(f"volumes cannot be exported on {', '.join(words)}: {'; '.join(dict.fromkeys(lost))}")
        if lost != self._lost:
            LOG.warning("volumes are not exported on all addresses: %s", "; ".join(lost) or "resolved")
            self._lost = lost
        return found

    @abc.abstractmethod
    def check(self) -> None:
        """Raise TargetError with the reason and the remedy if volumes cannot be exported now."""

    @abc.abstractmethod
    def addresses(self) -> Sequence[str]:
        """The addresses of this host on which volumes are exported now. Raises TargetError if there are none."""

    @abc.abstractmethod
    def export(self, name: str, path: str, export: Export | None = None, read_only: bool = False,
               connector: dict | None = None) -> Export:
        """Export `path` under `name`; `export` is a former Export whose name and secret are kept.

        The host of `connector` and those in `export` get access; access of others is revoked. An existing export that
        matches stays untouched, so that its initiators are not disturbed. If the device was replaced or has grown, it
        is opened again as soon as no initiator uses it. Returns the Export.
        """

    @property
    def sharing(self) -> str:
        """SEPARATE, BY_INITIATOR or TOGETHER."""
        return SEPARATE

    def new_auth(self) -> str | None:
        """A new secret for one connection, "CHAP user secret"; None without authentication."""

    def check_connector(self, connector: dict) -> None:
        """Raise TargetError if the connector's host cannot get access."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Remove an export, also while an initiator is logged in. A missing export is not an error."""

    def remove_all(self, name: str) -> None:
        """Remove all exports of a volume."""
        for one in {name, *(found for found in self.present() if volume_of(found) == name)}:
            self.remove(one)

    def present(self) -> list[str]:
        """The names of this backend's exports, without querying the daemon."""
        return self._state.names()

    @abc.abstractmethod
    def connection(self, name: str, export: Export, connector: dict | None) -> dict:
        """The connection information for os-brick: {"driver_volume_type": str, "data": {...}}, without volume_id."""

    @abc.abstractmethod
    def exported(self) -> dict[str, bool]:
        """{name: whether the export is complete} of all present exports, incomplete ones included."""

    @abc.abstractmethod
    def resize(self, name: str, path: str) -> None:
        """Show the present size and content of the device to initiators that log in from now on.

        Initiators that are logged in see the new size when they rescan, if the target supports that; otherwise the
        size changes with the `export` before the next attachment.
        """
