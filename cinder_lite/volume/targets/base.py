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

from cinder_lite import errors
from cinder_lite.host import network

LOG = logging.getLogger(__name__)

#: The address of this host on which targets listen: the one option that they share.
ADDRESS = cfg.StrOpt("target_ip_address", default="127.0.0.1",
                     help="Address of this host on which volumes are exported, or the name of a link (eth1), of which "
                          "the first global IPv4 address is taken, else the first global IPv6 address. Only this host "
                          "itself reaches 127.0.0.1; set the storage network's address to serve others.")


@dataclasses.dataclass(frozen=True)
class Access:
    """An initiator that is let in, and its own secret, "CHAP user secret" or None."""

    initiator: str
    auth: str | None = None
    read_only: bool = False


@dataclasses.dataclass(frozen=True)
class Export:
    """What is kept of an export until it is removed, enough to make the same one again after a restart.

    `location` is in Cinder's form for iSCSI, "portal[;portal...],group iqn lun", None before it was exported; `auth` is
    "CHAP user secret" or None; `accesses` are the initiators that are let in, None when all are that know `auth`.
    """

    location: str | None
    auth: str | None = None
    accesses: tuple[Access, ...] | None = None


#: How a target keeps the connections of one volume apart: by an export for each, by the initiator's name within one export,
#: or not at all.
SEPARATE, BY_INITIATOR, TOTAL_SIZE = "separate", "by initiator", "together"
#: The driver_volume_type of connections that targets of the release before make, under the volume's name.
FORMER_KINDS = ("iscsi", "nbd")
#: What stands between a volume's name and the word that tells its further exports apart.
FURTHER = "."


def volume_of(name):
    """The volume's name in the name of an export."""
    return name.partition(FURTHER)[0]


class TargetError(errors.Explained):
    """The target daemon refused or failed; the text says what failed and, where it is known, what to do."""

    for_members = errors.STORAGE


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

    def names(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self._directory)
        return []


class Target(abc.ABC):
    """Exports devices of this host. Created once a backend."""

    #: Options of the target, registered in the backend's section.
    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = ()
    #: The name that pools report as storage_protocol. Another host reads an exported volume by the entry point of that name
    #: in cinder_lite.volume.readers (see readers.Reader); without one, volumes cannot move from here to other hosts.
    protocol: typing.ClassVar[str]
    #: Whether another host reaches a volume by the protocol alone. False where its file or device has the same path on each.
    same_host: typing.ClassVar[bool] = True
    #: Whether hosts are let in. Not before all that they use is exported again; the next `check` sees to it.
    access_enabled = False

    def __init__(self, options, state_path):
        """`options` is the backend's section; `state_path` a directory of its own that survives restarts."""
        self.options, self.state_path = options, state_path
        self._marks, self._lost = Marks(state_path), ()

    def usable(self, *words):
        """The addresses of this host that the words mean now, but for those that cannot be used.

        Raises TargetError with the reasons when none can.
        """
        found, lost = network.choose(*words)
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

        The host of `connector` is let in, with those that `export` names. What is exported already and as asked stays as it
        is, so that its initiators notice nothing; who is not named any more is put out. When the device has become another
        or longer, it is opened anew as soon as no initiator uses it. Returns the Export.
        """

    @property
    def sharing(self):
        """SEPARATE, BY_INITIATOR or TOTAL_SIZE."""
        return SEPARATE

    def new_auth(self):
        """A secret for one connection, "CHAP user secret"; None where nobody is asked for one."""

    def check_connector(self, connector):
        """Raise TargetError for a connector of a host that cannot be let in."""

    @abc.abstractmethod
    def remove(self, name):
        """Remove the export of that name, also while an initiator is logged in. None there is success."""

    def remove_all(self, name):
        """Remove all exports of a volume."""
        for one in {name, *(found for found in self.present() if volume_of(found) == name)}:
            self.remove(one)

    def present(self):
        """The names of what this backend has exported and not removed since, as it knows without asking the daemon."""
        return self._marks.names()

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
