"""A volume group at work: runs commands on it, and says in a sentence what went wrong."""

import logging
import os
import shlex
import time

from cinder_lite import concurrency
from cinder_lite.host import privsep
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, parsing, privileged

LOG = logging.getLogger(__name__)

#: Commands that change nothing.
READING = ("fullreport", "lvs")
#: Seconds within which LVM has to say what there is.
PATIENCE = 60


class Refused(base.DriverError):
    """LVM refused a command; `said` is what it said."""

    def __init__(self, text, said):
        super().__init__(text)
        self.said = said


class Group:
    """The volume group `name`, used with the lvm.conf of `conf_file` ("": the system's)."""

    def __init__(self, name, conf_file, backend):
        self.name, self.backend = name, backend
        self._directory = os.path.dirname(os.path.abspath(conf_file)) if conf_file else ""

    def run(self, arguments, doing, timeout=0):
        """The output of a command. Raises Refused, whose text begins with "cannot" and what was to be done."""
        began = time.monotonic()
        try:
            status, output, errors = privileged.lvm(arguments, self._directory, timeout)
        except privsep.Unavailable as error:
            raise base.BackendDown(str(error)) from error
        except OSError as error:
            raise base.DriverError(f"cannot {doing}: root's process has ended meanwhile ({error})") from error
        LOG.log(logging.DEBUG if arguments[0] in READING else concurrency.log_level(), "'lvm %s' ended with status %s after %.0f ms",
                shlex.join(arguments), status, (time.monotonic() - began) * 1000)
        if status == 0:
            return output
        if status == privileged.MISSING:
            raise base.BackendDown("the command lvm is missing; install the package lvm2")
        if status is None:
            raise base.BackendDown(f"LVM did not say within {timeout} s what volume group {self.name} holds; look at "
                                   "its disks")
        said = parsing.said(errors) or f"'lvm {arguments[0]}' ended with status {status}"
        if parsing.GROUP_GONE.search(said):
            raise base.BackendDown(f"there is no volume group {self.name} (volume_group of {self.backend}): {said}; "
                                   f"make it with vgcreate, connect its disks, or correct the option")
        raise Refused(f"cannot {doing}: {said}", said)

    def run_unless(self, sign, arguments, doing):
        """Run a command; False when it is refused for what `sign` (of parsing) finds."""
        try:
            self.run(arguments, doing)
        except Refused as error:
            if not sign.search(error.said):
                raise
            return False
        return True

    def report(self):
        """A parsing.Group: all there is."""
        return parsing.group(self.run(commands.report(self.name), f"look at volume group {self.name}", PATIENCE))

    def rows(self):
        """The logical volumes, as parsing.Rows."""
        return parsing.rows(self.run(commands.rows(self.name), f"list volume group {self.name}", PATIENCE))

    def row(self, name):
        """The Row of a logical volume, None when there is none."""
        return next((row for row in self.rows() if row.name == name), None)

    def device(self, name):
        """The path of a logical volume that is active."""
        return f"/dev/{self.name}/{name}"

    def cow_device(self, name):
        """The path of the area that holds what a copy-on-write snapshot keeps."""
        return self._below(name, "cow")

    def real_device(self, name):
        """The path of what lies below a volume that has copy-on-write snapshots, which do not see it change."""
        return self._below(name, "real")

    def _below(self, name, suffix):
        return "/dev/mapper/{}-{}-{}".format(*(part.replace("-", "--") for part in (self.name, name)), suffix)

    def activate(self, name):
        """Make the device appear, unless it is there."""
        if not os.path.exists(self.device(name)):
            self.run(commands.activate(self.name, name), f"activate {name}")

    def size(self, name):
        """The size in bytes of the device of a logical volume."""
        self.activate(name)
        try:
            with open(self.device(name), "rb") as device:
                return device.seek(0, os.SEEK_END)
        except OSError as error:
            raise base.DriverError(f"cannot open {self.device(name)}: {error.strerror}") from error

    def remove(self, name):
        """Remove a logical volume, with its copy-on-write snapshots; False when there was none."""
        try:
            self.run(commands.remove(self.name, name), f"delete {name}")
        except Refused as error:
            if parsing.IN_USE.search(error.said):
                raise base.InUse(f"{name} is open on this host: {error.said}; detach it and try again") from error
            if not parsing.GONE.search(error.said):
                raise
            return False
        return True
