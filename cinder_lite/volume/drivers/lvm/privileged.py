"""The privileged operations of the LVM driver: LVM commands, and overwriting devices."""

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
#: Bytes per ioctl that zeroes a range.
ZERO_CHUNK = 256 * 1024**2


@privsep.storage.entrypoint
def lvm(arguments: Sequence[str], directory: str, timeout: float) -> tuple[int | None, str, str]:
    """Run an LVM command, with the lvm.conf of a directory ("": the system's).

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
    running = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment)
    try:
        output, errors = running.communicate(timeout=timeout or None)
    except subprocess.TimeoutExpired:
        running.kill()  # without waiting: a process in uninterruptible sleep cannot be killed
        return None, "", ""
    return running.returncode, output, errors


@privsep.storage.entrypoint
def zero(device: str, start: int, end: int) -> None:
    """Overwrite a range of a block device with zeros, offloaded to the device if it supports that."""
    with _opened(device) as file:
        for position in range(start, end, ZERO_CHUNK):
            fcntl.ioctl(file, BLKZEROOUT, struct.pack("QQ", position, min(ZERO_CHUNK, end - position)))


@privsep.storage.entrypoint
def shred(device: str, end: int, piece: int, times: int) -> None:
    """Overwrite a block device up to `end` with random bytes, `piece` bytes at a time, `times` times."""
    with _opened(device) as file:
        for _ in range(times):
            file.seek(0)
            for position in range(0, end, piece):
                file.write(os.urandom(min(piece, end - position)))
            os.fsync(file.fileno())


def _opened(device):
    file = open(device, "r+b", buffering=0)
    if not stat.S_ISBLK(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{device} is not a block device")
    return file
