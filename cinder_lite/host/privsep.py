"""Run functions as root in a privileged helper process (oslo.privsep).

The helper is started by the first call and ends with the service: by the service manager, where that listens on SOCKET,
so that the service itself needs no way to become root; else by sudo, unless the service is root already. Calls come
from native threads (drivers and targets), so the library's client must not use eventlet.
"""

import os
import sys
from typing import Any

from oslo_config import cfg
from oslo_privsep import capabilities, comm, daemon, priv_context

from cinder_lite import concurrency, errors
from cinder_lite.host import effective_user

#: The socket of cinder-lite-privsep.socket, and the descriptor as which systemd passes each connection to a new helper.
SOCKET = "/run/cinder-lite/privsep.sock"
DESCRIPTOR = 3
#: Calls that the helper runs concurrently: more than all backends together have. Its threads are created on demand, and
#: calls that wait for one backend's disks must not block those for others.
MAX_CALLS = 4096

for module in (comm, daemon, priv_context):
    for name in ("socket", "subprocess", "threading"):
        if hasattr(module, name):
            setattr(module, name, concurrency.native(name))
cfg.set_defaults(priv_context.OPTS, thread_pool_size=MAX_CALLS)


class Unavailable(errors.Explained):
    """The privileged helper cannot be started, or has ended during a call."""

    for_members = errors.HIDDEN


class Context(priv_context.PrivContext):
    """Starts the helper by the service manager or by sudo, without further options."""

    def start(self, method: Any = priv_context.Method.ROOTWRAP) -> None:
        with effective_user.as_invoker():
            if os.geteuid() != 0 and os.path.exists(SOCKET):
                self._connect()
            else:
                self._start(method)

    def _start(self, method):
        try:
            super().start(method)
        except (daemon.FailedToDropPrivileges, OSError) as error:
            command = " ".join(self.helper_command("…"))
            raise Unavailable(f"cannot start '{command}', which does what needs root ({error}); let this user do so "
                              f"without a password: docs/lvm.md has the line for /etc/sudoers.d") from error

    def _connect(self):
        with self.start_lock:
            if self.channel is not None:
                return
            socket = concurrency.native("socket")
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(SOCKET)
                self.channel = daemon._ClientChannel(sock, self)
            except (daemon.FailedToDropPrivileges, OSError) as error:
                sock.close()
                raise Unavailable(f"the process that does what needs root cannot be reached at {SOCKET} ({error}); see "
                                  "'systemctl status cinder-lite-privsep.socket'") from error

    def helper_command(self, sockpath: str) -> list[str]:
        """The command line of a helper that connects to the socket."""
        helper = os.path.join(os.path.dirname(sys.executable), "privsep-helper")
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        return [*sudo, helper, "--privsep_context", str(self.pypath), "--privsep_sock_path", sockpath]


#: For functions that handle block devices.
storage = Context("cinder_lite", cfg_section="cinder_lite_storage", pypath=f"{__name__}.storage", capabilities=[
    capabilities.CAP_SYS_ADMIN, capabilities.CAP_DAC_OVERRIDE, capabilities.CAP_MKNOD, capabilities.CAP_IPC_LOCK,
    capabilities.CAP_SYS_NICE])


def main() -> None:
    """cinder-lite-privsep: run as the helper of the service whose connection the service manager passes."""
    sock = concurrency.native("socket").socket(fileno=DESCRIPTOR)
    sock.set_inheritable(False)
    channel = comm.ServerChannel(sock)
    daemon.replace_logging(daemon.PrivsepLogHandler(channel))
    daemon.Daemon(channel, storage).run()
