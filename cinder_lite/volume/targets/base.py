"""What a target is: it exports a local file or block device to other hosts.

Like a driver it knows no database and may be called again after a crash: exporting what is exported and removing what
is not is success. Calls come from native threads, several at a time for different volumes.
"""

import abc
import dataclasses
import os
import typing

from oslo_config import cfg

from cinder_lite import errors

#: The address of this host on which targets listen: the one option that they share.
ADDRESS = cfg.HostAddressOpt("target_ip_address", default="127.0.0.1",
                             help="Address of this host on which volumes are exported. Only this host itself reaches "
                                  "127.0.0.1; set the storage network's address to serve others.")


@dataclasses.dataclass(frozen=True)
class Export:
    """What is kept of an export until it is removed, enough to make the same one again after a restart.

    `location` is in Cinder's form for iSCSI, "portal[;portal...],group iqn lun"; `auth` is "CHAP user secret" or None.
    """

    location: str
    auth: str | None = None


class TargetError(errors.Explained):
    """The target daemon refused or failed; the text says what failed and, where it is known, what to do."""


def portal(address, port):
    """An address and a port as clients write them, brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def identity(path):
    """Which file or device a path leads to now and how long it is, "device:inode:bytes"; TargetError when it is gone.

    A daemon that opened it earlier shows what it was then.
    """
    try:
        with open(path, "rb") as file:
            stat = os.fstat(file.fileno())
            return f"{stat.st_dev}:{stat.st_ino}:{file.seek(0, os.SEEK_END)}"
    except OSError as error:
        raise TargetError(f"cannot export {path}: {error.strerror}") from error


class Target(abc.ABC):
    """Exports devices of this host. Created once a backend."""

    #: Options of the target, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple] = ()
    #: The name that pools report as storage_protocol.
    protocol: typing.ClassVar[str]

    def __init__(self, options, state_path):
        """`options` is the backend's section; `state_path` a directory of its own that survives restarts."""
        self.options, self.state_path = options, state_path

    @abc.abstractmethod
    def check(self):
        """Find out whether exports can be made now; raise TargetError with the reason and the remedy when not."""

    @abc.abstractmethod
    def export(self, name, path, export=None, read_only=False):
        """Export `path` under the volume's backend name; `export` is a former Export whose name and secret to keep.

        What is exported already and as asked stays as it is, so that its initiators notice nothing. When the device has
        become another or longer, it is opened anew as soon as no initiator uses it. Returns the Export.
        """

    @abc.abstractmethod
    def remove(self, name):
        """Remove the export of that name, also while an initiator is logged in. None there is success."""

    @abc.abstractmethod
    def connection(self, name, export, connector):
        """What os-brick needs to connect: {"driver_volume_type": str, "data": {...}}, without volume_id."""

    @abc.abstractmethod
    def exported(self):
        """The backend names that are exported now: a set."""

    @abc.abstractmethod
    def resize(self, name, path):
        """Show the present size and content of the device to initiators that log in from now on.

        Initiators that are logged in are left alone: while there are any, nothing changes, and the `export` before the
        next attachment does it.
        """
