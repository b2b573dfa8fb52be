"""What the LVM driver does as root: LVM's commands, and overwriting devices."""

import fcntl
import os
import shutil
import stat
import struct
import subprocess

from cinder_lite.host import privsep

COMMANDS = ("fullreport", "lvchange", "lvcreate", "lvextend", "lvreduce", "lvremove", "lvrename", "lvs")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MISSING = 127
BLKZEROOUT = 0x127F
#: Bytes of zeros that the kernel is asked for at once.
STRETCH = 256 * 1024**2


@privsep.storage.entrypoint
def lvm(arguments, directory, timeout):
    """Run one of LVM's commands, with the lvm.conf of a directory ("": the system's).

    Returns its status, output and error stream. The status is None when it was given up after `timeout` seconds (0: never;
    a command that changes something must not be killed), MISSING when there is no LVM.
    """
    if arguments[0] not in COMMANDS:
        raise ValueError(f"{arguments[0]} is not among the commands that root runs")
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
        running.kill()  # and not waited for: a process that waits for a disk cannot be killed
        return None, "", ""
    return running.returncode, output, errors


@privsep.storage.entrypoint
def zero(device, start, end):
    """Overwrite a range of a block device with zeros, by the device's own means where it has such."""
    with _opened(device) as file:
        for position in range(start, end, STRETCH):
            fcntl.ioctl(file, BLKZEROOUT, struct.pack("QQ", position, min(STRETCH, end - position)))


@privsep.storage.entrypoint
def shred(device, end, piece, times):
    """Overwrite a block device up to `end` with random bytes, in pieces of so many bytes."""
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
