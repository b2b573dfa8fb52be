"""Attaches iSCSI volumes of another host's backend to this host, by os-brick.

os-brick runs in the privileged process. It finds earlier attachments, so each function can be called again.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from cinder_lite.host import privsep
from cinder_lite.volume.targets import readers
from cinder_lite.volume.targets.readers import AttachFailed

LOCKS = "/run/lock/cinder-lite"
#: Attempts of os-brick to find the device, with growing intervals.
SCANS = 5


@contextlib.contextmanager
def _brick(doing: str) -> Iterator[Any]:
    """os-brick's connector; imported in the privileged process only."""
    from os_brick import exception, opts, privileged
    from os_brick.initiator.connectors import iscsi
    from oslo_concurrency import lockutils, processutils

    for context in (privileged.default, privileged.brick_privsep_hide_output):
        context.set_client_mode(False)
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    lockutils.set_defaults(LOCKS)
    opts.set_defaults()
    try:
        yield iscsi.ISCSIConnector("", device_scan_attempts=SCANS)
    except (exception.BrickException, processutils.ProcessExecutionError, OSError) as error:
        raise AttachFailed(f"cannot {doing}: {' '.join(str(error).split())}") from None


@privsep.storage.entrypoint
def name() -> str:
    """This host's iSCSI initiator name."""
    with _brick("read /etc/iscsi/initiatorname.iscsi") as connector:
        found = connector.get_initiator()
    if not found:
        raise AttachFailed("this host has no iSCSI initiator name (/etc/iscsi/initiatorname.iscsi), which it needs to "
                           "copy volumes of other hosts: install the package open-iscsi")
    return found


@privsep.storage.entrypoint
def attach(data: Mapping[str, Any]) -> str:
    """Attach a volume by its connection information `data`. Returns the path of the device."""
    with _brick(f"attach {data['target_iqn']} at {data['target_portal']}") as connector:
        return connector.connect_volume(data)["path"]


@privsep.storage.entrypoint
def detach(data: Mapping[str, Any]) -> None:
    """Undo `attach`; `data` needs only the target's names."""
    with _brick(f"detach {data['target_iqn']} from {data['target_portal']}") as connector:
        connector.disconnect_volume(data, None, force=True, ignore_errors=True)


class IscsiReader(readers.Reader):
    """Reads volumes that tgt and LIO of other hosts export."""

    def connector(self) -> dict[str, Any]:
        return {"initiator": name()}

    def names(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in data.items() if key.startswith("target_")}

    def attach(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"path": attach(data)}

    def detach(self, names: Mapping[str, Any]) -> None:
        detach(names)
