"""How a host reads a volume that a target of another host exports: by the target's protocol, each an entry point."""

import abc
from collections.abc import Mapping
from typing import Any

from cinder_lite import errors
from cinder_lite.conf import plugins

#: Entry points are named like the protocol of the targets (Target.protocol), and lead to a Reader without arguments.
NAMESPACE = "cinder_lite.volume.readers"
#: The protocol of attached sources that a release before has recorded in jobs without naming it.
UNNAMED = "iSCSI"


class AttachFailed(errors.Explained):
    """The volume cannot be attached here; the text gives the reason."""

    for_members = errors.STORAGE


class Reader(abc.ABC):
    """Attaches exported volumes to this host. Called in native threads; each method may be called again after a crash."""

    @abc.abstractmethod
    def connector(self) -> dict[str, Any]:
        """What a target needs to let this host in, {"initiator": ...}. Raises AttachFailed."""

    @abc.abstractmethod
    def names(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What `detach` needs of connection information, without its secrets. It is stored in a job before `attach`."""

    @abc.abstractmethod
    def attach(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Attach the volume of this connection information (Target.connection's data).

        Returns the location of its bytes for cinder_lite.blockio.device, {"path": ...}. Raises AttachFailed.
        """

    @abc.abstractmethod
    def detach(self, names: Mapping[str, Any]) -> None:
        """Undo `attach`; what is not attached is success. Raises AttachFailed."""


def protocols() -> list[str]:
    """The protocols by which this host can read volumes of others."""
    return plugins.names(NAMESPACE)


def of(protocol: str) -> Reader:
    """The reader of a protocol. Raises Misconfigured when there is none."""
    return plugins.load(NAMESPACE, protocol)()


def of_recorded(attached: Mapping[str, Any]) -> Reader:
    """The reader of a source that a job has recorded as attached."""
    return of(attached.get("protocol", UNNAMED))
