"""What a target is: it exports a local file or block device to other hosts.

Like a driver it knows no database and may be called again after a crash: exporting what is exported and removing what
is not is success. Calls come from native threads, several at a time for different volumes.
"""

import abc
import contextlib
import dataclasses
import logging
import os
import typing

from oslo_config import cfg

from cinder_lite import errors, net

LOG = logging.getLogger(__name__)

#: The address of this host on which targets listen: the one option that they share.
ADDRESS = cfg.StrOpt("target_ip_address", default="127.0.0.1",
                     help="Address of this host on which volumes are exported, or the name of a link (eth1), of which "
                          "the first global IPv4 address is taken, else the first global IPv6 address. Only this host "
                          "itself reaches 127.0.0.1; set the storage network's address to serve others.")


@dataclasses.dataclass(frozen=True)
class Export:
    """What is kept of an export until it is removed, enough to make the same one again after a restart.

    `location` is in Cinder's form for iSCSI, "portal[;portal...],group iqn lun"; `auth` is "CHAP user secret" or None;
    `initiators` are the names, with blanks between, of those that are let in, None when all are that know the secret.
    """

    location: str
    auth: str | None = None
    initiators: str | None = None


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


class Marks:
    """A file for each name in a directory, with a line that says what was exported under it."""

    def __init__(self, directory):
        self._directory = directory

    def __contains__(self, name):
        return os.path.exists(self._path(name))

    def _path(self, name):
        return os.path.join(self._directory, name)

    def read(self, name):
        """The line, "" when there is none."""
        try:
            with open(self._path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def write(self, name, line):
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            with open(self._path(name), "w") as file:
                file.write(line)
        except OSError as error:
            raise TargetError(f"cannot write to {self._directory}: {error.strerror}") from error

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))


class Target(abc.ABC):
    """Exports devices of this host. Created once a backend."""

    #: Options of the target, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple] = ()
    #: The name that pools report as storage_protocol.
    protocol: typing.ClassVar[str]
    #: Whether hosts are let in. Not before all that they use is exported again; the next `check` sees to it.
    admitting = False

    def __init__(self, options, state_path):
        """`options` is the backend's section; `state_path` a directory of its own that survives restarts."""
        self.options, self.state_path = options, state_path
        self._marks, self._lost = Marks(state_path), ()

    def usable(self, *words):
        """The addresses of this host that the words mean now, but for those that cannot be used.

        Raises TargetError with the reasons when none can.
        """
        found, lost = net.choose(*words)
        if not found:
            raise TargetError(f"volumes cannot be exported on {', '.join(words)}: {'; '.join(dict.fromkeys(lost))}")
        if lost != list(self._lost):
            LOG.warning("not exported on all addresses: %s", "; ".join(lost) or "not any more")
            self._lost = tuple(lost)
        return found

    @abc.abstractmethod
    def check(self):
        """Find out whether exports can be made now; raise TargetError with the reason and the remedy when not."""

    @abc.abstractmethod
    def addresses(self):
        """The addresses of this host on which volumes are exported now; TargetError when there are none."""

    @abc.abstractmethod
    def export(self, name, path, export=None, read_only=False, connector=None):
        """Export `path` under the volume's backend name; `export` is a former Export whose name and secret to keep.

        The host of `connector` is let in, with those that were before. What is exported already and as asked stays as it
        is, so that its initiators notice nothing. When the device has become another or longer, it is opened anew as soon
        as no initiator uses it. Returns the Export.
        """

    def expel(self, name, path, export, connector, read_only=False):
        """Keep the connector's host out from now on, others not: where hosts are told apart. Returns the Export."""
        return export

    @abc.abstractmethod
    def remove(self, name):
        """Remove the export of that name, also while an initiator is logged in. None there is success."""

    @abc.abstractmethod
    def connection(self, name, export, connector):
        """What os-brick needs to connect: {"driver_volume_type": str, "data": {...}}, without volume_id."""

    @abc.abstractmethod
    def exported(self):
        """{backend name: whether it is exported completely} of all that is exported now, or half so."""

    @abc.abstractmethod
    def resize(self, name, path):
        """Show the present size and content of the device to initiators that log in from now on.

        Those that are logged in see a new size when they ask for it, where the target can do that; elsewhere nothing
        changes while there are any, and the `export` before the next attachment does it.
        """
