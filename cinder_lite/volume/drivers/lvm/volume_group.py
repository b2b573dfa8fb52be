"""Runs LVM commands on a volume group, and turns their errors into DriverErrors."""

import logging
import os
import re
import shlex
from collections.abc import Sequence

from cinder_lite import concurrency
from cinder_lite.concurrency import clock
from cinder_lite.host import privsep
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, parsing, privileged

LOG = logging.getLogger(__name__)

#: Read-only commands.
READING = ("fullreport", "lvs")
#: Timeout in seconds of read-only commands.
TIMEOUT = 60


class Refused(base.DriverError):
    """LVM refused a command; `message` is LVM's error message."""

    def __init__(self, text: str, message: str) -> None:
        super().__init__(text)
        self.message = message


class Group:
    """The volume group `name`, with the lvm.conf of `conf_file` ("": the system's)."""

    def __init__(self, name: str, conf_file: str, backend: str) -> None:
        self.name, self.backend = name, backend
        self._directory = os.path.dirname(os.path.abspath(conf_file)) if conf_file else ""

    def run(self, arguments: Sequence[str], doing: str, timeout: float = 0) -> str:
        """The output of a command. Raises Refused, whose text begins with "cannot" and `doing`."""
        began = clock.monotonic()
        try:
            status, output, errors = privileged.lvm(arguments, self.name, self._directory, timeout)
        except privsep.Unavailable as error:
            raise base.BackendDown(str(error)) from error
        except OSError as error:
            raise base.DriverError(f"cannot {doing}: the privileged process has ended ({error})") from error
        level = logging.DEBUG if arguments[0] in READING else concurrency.log_level()
        LOG.log(level, "'lvm %s' ended with status %s after %.0f ms", shlex.join(arguments), status,
                (clock.monotonic() - began) * 1000)
        if status == 0:
            return output
        if status == privileged.MISSING:
            raise base.BackendDown("the command lvm is missing; install the package lvm2")
        if status is None:
            raise base.BackendDown(f"LVM did not report volume group {self.name} within {timeout} s; check its disks")
        message = parsing.error_message(errors) or f"'lvm {arguments[0]}' ended with status {status}"
        if parsing.GROUP_GONE.search(message):
            raise base.BackendDown(f"there is no volume group {self.name} (volume_group of {self.backend}): {message}; "
                                   f"create it with vgcreate, connect its disks, or correct the option")
        raise Refused(f"cannot {doing}: {message}", message)

    def run_unless(self, refusal: re.Pattern, arguments: Sequence[str], doing: str) -> bool:
        """Run a command; False if it is refused with a message that matches `refusal` (a pattern of parsing)."""
        try:
            self.run(arguments, doing)
        except Refused as error:
            if not refusal.search(error.message):
                raise
            return False
        return True

    def report(self) -> parsing.Group:
        """The group with its logical volumes."""
        return parsing.group(self.run(commands.report(self.name), f"read volume group {self.name}", TIMEOUT))

    def rows(self) -> tuple[parsing.Row, ...]:
        """The logical volumes."""
        return parsing.rows(self.run(commands.rows(self.name), f"list volume group {self.name}", TIMEOUT))

    def row(self, name: str) -> parsing.Row | None:
        """The Row of a logical volume, None if there is none."""
        return next((row for row in self.rows() if row.name == name), None)

    def device(self, name: str) -> str:
        """The path of an active logical volume."""
        return f"/dev/{self.name}/{name}"

    def cow_device(self, name: str) -> str:
        """The path of the area with a copy-on-write snapshot's copied blocks."""
        return self._below(name, "cow")

    def real_device(self, name: str) -> str:
        """The path of the device below a volume with copy-on-write snapshots; writes to it bypass the snapshots."""
        return self._below(name, "real")

    def _below(self, name, suffix):
        return "/dev/mapper/{}-{}-{}".format(*(part.replace("-", "--") for part in (self.name, name)), suffix)

    def activate(self, name: str) -> None:
        """Activate a logical volume unless its device exists."""
        if not os.path.exists(self.device(name)):
            self.run(commands.activate(self.name, name), f"activate {name}")

    def size(self, name: str) -> int:
        """The size in bytes of the device of a logical volume."""
        self.activate(name)
        try:
            with open(self.device(name), "rb") as device:
                return device.seek(0, os.SEEK_END)
        except OSError as error:
            raise base.DriverError(f"cannot open {self.device(name)}: {error.strerror}") from error

    def remove(self, name: str) -> bool:
        """Remove a logical volume with its copy-on-write snapshots; False if there was none."""
        try:
            self.run(commands.remove(self.name, name), f"delete {name}")
        except Refused as error:
            if parsing.IN_USE.search(error.message):
                raise base.InUse(f"{name} is open on this host: {error.message}; detach it and try again") from error
            if not parsing.GONE.search(error.message):
                raise
            return False
        return True
