"""A host that stays logged in to an exported volume and does not log in again: `python -m tests.contract.held`.

For iSCSI this module is the initiator, by libiscsi. The first line of its input is the connection information in JSON,
answered by "in" or the reason of a refusal; each further line is "read" or "write", answered by "done", "refused" (the
target denies the command) or "cut" (the session is over). For NBD it is qemu-io, which does not connect again either.
"""

import contextlib
import ctypes
import json
import select
import subprocess
import sys

from tests.meta.source import TOP

LIBRARY = "libiscsi.so.7"
#: Values of libiscsi's enumerations.
NORMAL_SESSION, NO_DIGEST = 2, 0
#: The status of a SCSI command: its end, the target's denial, and libiscsi's for a session that is over.
GOOD, CHECK_CONDITION, CUT = 0, 2, (0x0F000000, 0x0F000001)
BLOCK, LENGTH = 512, 4096
#: Seconds after which a command is given up, which is no result.
TIMEOUT = 60
#: Attempts of a command: a target reports changes of the disk in place of the first.
ATTEMPTS = 4


class Session:
    """A session of the initiator, logged in."""

    def __init__(self, info):
        self._library = ctypes.CDLL(LIBRARY)
        for name in ("iscsi_create_context", "iscsi_get_error", "iscsi_read10_sync", "iscsi_write10_sync"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._lun, self._over = info["target_lun"], False
        self._context = ctypes.c_void_p(self._library.iscsi_create_context(info["initiator"].encode()))
        self._call("iscsi_set_targetname", info["target_iqn"].encode())
        self._call("iscsi_set_session_type", NORMAL_SESSION)
        self._call("iscsi_set_header_digest", NO_DIGEST)
        if info.get("auth_method"):
            self._call("iscsi_set_initiator_username_pwd", info["auth_username"].encode(),
                       info["auth_password"].encode())
        self._call("iscsi_set_noautoreconnect", 1)
        self._call("iscsi_set_timeout", TIMEOUT)
        if self._call("iscsi_full_connect_sync", info["target_portal"].encode(), self._lun) != 0:
            raise PermissionError(ctypes.string_at(self._call("iscsi_get_error")).decode())

    def _call(self, function, *arguments):
        return getattr(self._library, function)(self._context, *arguments)

    def read(self):
        return self._status("iscsi_read10_sync", 0, LENGTH, BLOCK)

    def write(self):
        return self._status("iscsi_write10_sync", 0, b"\7" * LENGTH, LENGTH, BLOCK)

    def _status(self, function, *arguments):
        """The answer for a command."""
        status = CHECK_CONDITION
        for _ in range(ATTEMPTS):
            if self._over:
                return "cut"
            task = self._call(function, self._lun, *arguments, 0, 0, 0, 0, 0)
            if task is None:
                return "cut"
            # The status is the first member of a task.
            status = ctypes.c_int.from_address(task).value
            if status != CHECK_CONDITION:
                break
        if status in CUT:
            self._over = True
            return "cut"
        return {GOOD: "done", CHECK_CONDITION: "refused"}.get(status, f"status {status:#x}")

    def attend(self, other):
        """Answer the target's pings until the descriptor `other` can be read."""
        poll = select.poll()
        poll.register(other, select.POLLIN)
        own = self._call("iscsi_get_fd")
        if not self._over:
            poll.register(own, select.POLLIN | select.POLLRDHUP)
        while other not in (events := dict(poll.poll())):
            if events[own] & ~select.POLLIN:
                self._over = True
                poll.unregister(own)
            else:
                self._call("iscsi_service", events[own])


def main():
    info = json.loads(sys.stdin.buffer.raw.readline())
    try:
        session = Session(info)
    except PermissionError as error:
        print(error, flush=True)
        return
    print("in", flush=True)
    while True:
        session.attend(sys.stdin.fileno())
        line = sys.stdin.buffer.raw.readline().decode().strip()
        if not line:
            return
        print(session.read() if line == "read" else session.write(), flush=True)


class _Iscsi:
    #: Whether the initiator may end with its session.
    MAY_END = False
    COMMANDS = {"read": "read", "write": "write"}

    @staticmethod
    def started(info):
        found = _popen([sys.executable, "-m", "tests.contract.held"])
        found.stdin.write(json.dumps(info) + "\n")
        found.stdin.flush()
        answer = found.stdout.readline()
        assert answer == "in\n", answer
        return found

    @staticmethod
    def answer(line):
        """Whether the command was done; None if the line has no answer."""
        return {"done": True, "refused": False, "cut": False}[line.strip()]


class _Nbd:
    MAY_END = True
    COMMANDS = {"read": f"read 0 {LENGTH}", "write": f"write -P 7 0 {LENGTH}"}

    @staticmethod
    def started(info):
        return _popen(["qemu-io", "-f", "raw", info["uri"]])

    @staticmethod
    def answer(line):
        if "failed" in line:
            return False
        return True if "4 KiB" in line else None


def _popen(argv):
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            cwd=TOP)


class Held:
    """The volume as that host has it open; commands of an ended session do not log in again."""

    def __init__(self, info):
        self._kind = _Nbd if "uri" in info else _Iscsi
        self._process = self._kind.started(info)

    def _done(self, command):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(self._kind.COMMANDS[command] + "\n")
            self._process.stdin.flush()
        while (line := self._process.stdout.readline()):
            answer = self._kind.answer(line)
            if answer is not None:
                return answer
        assert self._kind.MAY_END, f"the initiator ended with status {self._process.wait()}"
        return False

    def reads(self):
        return self._done("read")

    def writes(self):
        return self._done("write")

    def reaches(self):
        """Whether it reads and writes; one alone is neither."""
        found = self.reads(), self.writes()
        assert found in ((True, True), (False, False)), found
        return found[0]

    def end(self):
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@contextlib.contextmanager
def held(info):
    """A host with the volume open."""
    one = Held(info)
    try:
        yield one
    finally:
        one.end()


if __name__ == "__main__":
    main()
