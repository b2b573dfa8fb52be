"""Lock a service name on this host, so that one process at a time works for it.

The lock is flock(2). fasteners 0.20, and oslo.concurrency by it, lock with lockf(3), which is no replacement: such a
lock is the process's, so that a second object in the same process (cinder-lite-all) gets it as well, and opening and
closing the file anywhere in the process releases it; and it takes no notice of a flock, so that a process of the
release before would go on beside one of this release. tests/unit/host/test_host_lock.py shows the difference.
"""

import fcntl
import logging
import os
import socket
import tempfile
from typing import TextIO

from cinder_lite import errors
from cinder_lite.concurrency import clock, randomness
from cinder_lite.host import systemd

LOG = logging.getLogger(__name__)


class HostLock:
    """A lock file of a service name on this host.

    The holder can rely on every former process of the name being dead, and take over its jobs at once. `instance` is a
    new uuid of this process.
    """

    def __init__(self, state_path: str, binary: str, host: str):
        self.path = os.path.join(check_directory(state_path), f"{binary}-{host}".replace("/", "_"))
        self.instance = randomness.new_id()
        self._file: TextIO | None = None

    @property
    def id(self) -> str:
        """Machine, boot and file of the lock: while it is held, no other process holds one of the same id."""
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        found = os.stat(self.path)
        return f"{socket.gethostname()}/{boot}/{found.st_dev:x}:{found.st_ino:x}"

    def acquire(self) -> None:
        """Wait for the lock; does nothing if it is held already."""
        if self._file is not None:
            return
        self._file = open(self.path, "w")
        is_logged = False
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not is_logged:
                    LOG.warning("%s is locked by another process of this service; waiting for it to end", self.path)
                    is_logged = True
                systemd.notify_waiting(f"another process of this service, which locks {self.path}, to end")
                clock.sleep(0.2)

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def check_directory(state_path: str) -> str:
    """The directory of lock files, made if needed. Raises Misconfigured when no file can be created in it."""
    directory = os.path.join(state_path, "locks")
    try:
        os.makedirs(directory, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise errors.Misconfigured(f"state_path {state_path} cannot be used: {error}") from error
    return directory
