"""The privileged operations of the LVM driver: LVM commands, and overwriting devices."""

import contextlib
import fcntl
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Sequence

from cinder_lite.host import privsep

COMMANDS = ("fullreport", "lvchange", "lvcreate", "lvextend", "lvreduce", "lvremove", "lvrename", "lvs")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MISSING = 127
BLKZEROOUT = 0x127F
#: Directory with a file for each volume group, which helpers lock while they work on the group.
LOCKS = "/run/lock/cinder-lite-lvm"


@contextlib.contextmanager
def _locked(group, how):
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    with open(os.path.join(LOCKS, os.path.basename(group)), "w") as file:
        fcntl.flock(file, how)
        yield


@privsep.storage.entrypoint
def wait_for_former(group: str) -> None:
    """Wait until no helper works on a volume group: that of a killed service completes the calls that it has."""
    with _locked(group, fcntl.LOCK_EX):
        pass


@privsep.storage.entrypoint
def lvm(arguments: Sequence[str], group: str, directory: str, timeout: float) -> tuple[int | None, str, str]:
    """Run an LVM command on a volume group, with the lvm.conf of a directory ("": the system's).

    Returns its exit status, output and error output. The status is None if it timed out after `timeout` seconds (0: no
    timeout; a command that changes something must not be killed), MISSING if LVM is not installed.
    """
    if arguments[0] not in COMMANDS:
        raise ValueError(f"{arguments[0]} is not among the permitted commands")
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
    if directory:
        environment["LVM_SYSTEM_DIR"] = directory
    program = shutil.which("lvm", path=PATH)
    if program is None:
        return MISSING, "", ""
    with _locked(group, fcntl.LOCK_SH):
        running = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=environment)
        try:
            output, errors = running.communicate(timeout=timeout or None)
        except subprocess.TimeoutExpired:
            running.kill()  # without waiting: a process in uninterruptible sleep cannot be killed
            return None, "", ""
        return running.returncode, output, errors


@privsep.storage.entrypoint
def zero(group: str, device: str, start: int, end: int) -> None:
    """Overwrite a range of a block device of a volume group with zeros, offloaded to the device if it supports that.

    The caller passes long ranges piece by piece: a helper completes its piece after the caller has ended.
    """
    with _opened(group, device) as file:
        fcntl.ioctl(file, BLKZEROOUT, struct.pack("QQ", start, end - start))


@privsep.storage.entrypoint
def shred(group: str, device: str, start: int, end: int, block: int) -> None:
    """The same with random bytes, `block` bytes at a time."""
    with _opened(group, device) as file:
        file.seek(start)
        for position in range(start, end, block):
            file.write(os.urandom(min(block, end - position)))
        os.fsync(file.fileno())


@contextlib.contextmanager
def _opened(group, device):
    with _locked(group, fcntl.LOCK_SH), open(device, "r+b", buffering=0) as file:
        if not stat.S_ISBLK(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{device} is not a block device")
        yield file
