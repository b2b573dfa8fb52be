"""Reads volumes that targets of other hosts export; each protocol is an entry point."""

import abc
from collections.abc import Mapping
from typing import Any

from cinder_lite import errors
from cinder_lite.conf import plugins

#: Entry points are named like the protocol of the targets (Target.protocol), and lead to a Reader without arguments.
NAMESPACE = "cinder_lite.volume.readers"
#: The protocol of attached sources that an earlier release recorded in jobs without a name.
UNNAMED = "iSCSI"


class AttachFailed(errors.Explained):
    """The volume cannot be attached to this host; the text gives the reason."""

    for_members = errors.STORAGE


class Reader(abc.ABC):
    """Attaches exported volumes to this host. Called in native threads; each call can be repeated after a crash."""

    @abc.abstractmethod
    def connector(self) -> dict[str, Any]:
        """The connector that gives this host access, {"initiator": ...}. Raises AttachFailed."""

    @abc.abstractmethod
    def names(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The part of connection information that `detach` needs, without secrets. It is stored before `attach`."""

    @abc.abstractmethod
    def attach(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Attach the volume of this connection information (Target.connection's data).

        Returns the location of its bytes for cinder_lite.blockio.device, {"path": ...}. Raises AttachFailed.
        """

    @abc.abstractmethod
    def detach(self, names: Mapping[str, Any]) -> None:
        """Undo `attach`; a volume that is not attached is not an error. Raises AttachFailed."""


def protocols() -> list[str]:
    """The protocols by which this host can read volumes of other hosts."""
    return plugins.names(NAMESPACE)


def of(protocol: str) -> Reader:
    """The reader of a protocol. Raises Misconfigured if there is none."""
    return plugins.load(NAMESPACE, protocol)()


def of_recorded(attached: Mapping[str, Any]) -> Reader:
    """The reader of an attached source recorded in a job."""
    return of(attached.get("protocol", UNNAMED))
