"""Exports volumes by NBD, with one qemu-nbd process for each volume, for hosts without an iSCSI target."""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from urllib import parse

from oslo_config import cfg

from cinder_lite.concurrency import clock, commands, randomness
from cinder_lite.volume.targets import base

OPTIONS = (
    base.ADDRESS,
    cfg.StrOpt("nbd_transport", default="tcp", choices=("tcp", "unix"),
               help="Export on TCP ports, or on Unix sockets for clients on this host."),
    cfg.StrOpt("nbd_port_range", default="10810-14809",
               help="First and last TCP port for exports; each exported volume uses one."),
    cfg.BoolOpt("nbd_unprotected", default=False,
                help="Allow exports on an address that other hosts can reach. NBD is used without authentication and "
                     "encryption: whoever reaches the port can read and write the volume."),
)

#: Seconds that a process has to flush and end after SIGTERM; then it is killed.
STOP = 20


@dataclasses.dataclass(frozen=True)
class Process:
    """A running qemu-nbd, identified by its arguments."""

    pid: int
    argv: tuple[str, ...]

    def option(self, name: str) -> str | None:
        return next((word.partition("=")[2] for word in self.argv if word.startswith(f"--{name}=")), None)

    @property
    def ended(self) -> bool:
        """Whether the process is gone, or a zombie whose threads have all ended, so that its port is free."""
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                dead = file.read().rpartition(")")[2].split()[0] in "ZX"
            return dead and len(os.listdir(f"/proc/{self.pid}/task")) == 1
        except (FileNotFoundError, ProcessLookupError):
            return True

    @property
    def in_use(self) -> bool:
        """Whether a client is connected, so that there is a socket besides the listening one."""
        sockets = 0
        with contextlib.suppress(FileNotFoundError):
            for fd in os.listdir(f"/proc/{self.pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    sockets += os.readlink(f"/proc/{self.pid}/fd/{fd}").startswith("socket:")
        return sockets > 1


class NbdTarget(base.Target):
    """Exports by qemu-nbd processes, which outlive the service; `state_path` has their pid files and sockets.

    A process keeps the size and the file that it opened, so its description names them; it is replaced when they have
    changed and no client is connected.
    """

    OPTIONS = OPTIONS
    protocol = "nbd"

    def check(self) -> None:
        if shutil.which("qemu-nbd") is None:
            raise base.TargetError("qemu-nbd is missing; install the package qemu-utils")
        if self.options.nbd_transport == "unix":
            if len(os.fsencode(self._file("volume-" + "0" * 36, "sock"))) > 107:
                raise base.TargetError(f"{self.state_path} is too long a path for sockets; set nbd_transport = tcp")
            return
        self._ports()
        address = self.options.target_ip_address
        if not (address.startswith("127.") or address in ("::1", "lo", "localhost") or self.options.nbd_unprotected):
            raise base.TargetError(f"target_ip_address {address} is reachable from other hosts, and NBD has no "
                                   "authentication; use target_helper = tgt, or set nbd_unprotected = true on an "
                                   "isolated network")
        self.addresses()

    def addresses(self) -> Sequence[str]:
        if self.options.nbd_transport == "unix":
            return []
        return self.usable(self.options.target_ip_address)

    def export(self, name: str, path: str, export: base.Export | None = None, read_only: bool = False,
               connector: dict | None = None) -> base.Export:
        try:
            os.makedirs(self.state_path, mode=0o700, exist_ok=True)
        except OSError as error:
            raise base.TargetError(f"cannot write to {self.state_path}: {error.strerror}") from error
        identity = base.identity(path)
        present = self._process(name)
        if present:
            matches = present.argv[-1] == path and ("--read-only" in present.argv) == read_only
            if matches and (present.in_use or present.option("description") == identity):
                return base.Export(self._location(name, present.option("port")))
            self._stop(name)
        return base.Export(self._start(name, path, identity, export, read_only))

    def remove(self, name: str) -> None:
        self._stop(name)

    def connection(self, name: str, export: base.Export, connector: dict | None) -> dict:
        """{"driver_volume_type": "nbd", "data": {...}}: `uri` is the complete URI for NBD clients.

        Its parts are `transport` ("tcp" or "unix"), `host` and `port` or `socket_path`, and `export`, the export's
        name.
        """
        location = export.location or ""
        uri = parse.urlsplit(location)
        data: dict = {"uri": location, "export": uri.path.lstrip("/"), "discard": True}
        if uri.scheme == "nbd":
            data |= {"transport": "tcp", "host": uri.hostname, "port": uri.port}
        else:
            data |= {"transport": "unix", "socket_path": parse.parse_qs(uri.query)["socket"][0]}
        return {"driver_volume_type": "nbd", "data": data}

    def exported(self) -> dict[str, bool]:
        return {name: True for name in self.present() if self._process(name)}

    def resize(self, name: str, path: str) -> None:
        present = self._process(name)
        if present and not present.in_use:
            former = base.Export(self._location(name, present.option("port")))
            self.export(name, path, former, "--read-only" in present.argv)

    def present(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [file.removesuffix(".pid") for file in os.listdir(self.state_path) if file.endswith(".pid")]
        return []

    def _file(self, name, kind):
        return os.path.join(self.state_path, f"{name}.{kind}")

    def _location(self, name, port):
        if port is None:
            return f"nbd+unix:///{name}?{parse.urlencode({'socket': self._file(name, 'sock')}, safe='/')}"
        return f"nbd://{base.portal(*self.addresses(), port)}/{name}"

    def _process(self, name):
        """The running process of that export, None if the pid file's process is another or has ended."""
        pid_file = self._file(name, "pid")
        try:
            with open(pid_file) as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline") as file:
                argv = tuple(file.read().rstrip("\0").split("\0"))
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        own = os.path.basename(argv[0]) == "qemu-nbd" and f"--pid-file={pid_file}" in argv
        return Process(pid, argv) if own else None

    def _start(self, name, path, identity, export, read_only):
        argv = ["qemu-nbd", "--fork", f"--pid-file={self._file(name, 'pid')}", "--format=raw", "--persistent",
                "--shared=0", "--cache=writeback", "--discard=unmap", f"--export-name={name}",
                f"--description={identity}", *(["--read-only"] if read_only else [])]
        if self.options.nbd_transport == "unix":
            self._launch(name, [*argv, f"--socket={self._file(name, 'sock')}", path])
            return self._location(name, None)
        address, = self.addresses()
        for port in self._free_ports(address, export):
            if self._launch(name, [*argv, f"--bind={address}", f"--port={port}", path]):
                return self._location(name, port)
        raise base.TargetError(f"cannot export {name}: no port of nbd_port_range {self.options.nbd_port_range} is free "
                               f"on {address}; widen it")

    def _launch(self, name, argv):
        """Start a process and wait until it serves; False if its port was taken meanwhile."""
        try:
            commands.run_command(argv)
        except FileNotFoundError:
            raise base.TargetError("qemu-nbd is missing; install the package qemu-utils") from None
        except subprocess.CalledProcessError as error:
            if "Address already in use" in error.stderr:
                return False
            raise base.TargetError(f"qemu-nbd cannot export {name}: {error.stderr.strip()}") from error
        except subprocess.TimeoutExpired as late:
            raise base.TargetError(f"qemu-nbd did not export {name} within {late.timeout} s") from late
        return True

    def _ports(self):
        first, _, last = self.options.nbd_port_range.partition("-")
        if not (first.strip().isdigit() and last.strip().isdigit() and 0 < int(first) <= int(last) < 65536):
            raise base.TargetError(f"nbd_port_range is '{self.options.nbd_port_range}'; it has to be like 10810-14809")
        return range(int(first), int(last) + 1)

    def _free_ports(self, address, export):
        """Ports without a listener: the former one first, then all from a random one on."""
        former = parse.urlsplit(export.location).port if export and export.location else None
        ports = self._ports()
        start = randomness.randrange(len(ports))
        for port in [*([former] if former else []), *ports[start:], *ports[:start]]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, port))
                except OSError:
                    continue
            yield port

    def _stop(self, name):
        """End the process of that export; a pidfd makes sure that it is no other process."""
        process = self._process(name)
        if process:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(process.pid)
                try:
                    self._end(name, process, handle)
                finally:
                    os.close(handle)
        for kind in ("pid", "sock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._file(name, kind))

    def _end(self, name, process, handle):
        for way in (signal.SIGTERM, signal.SIGKILL):
            if self._process(name) != process:
                return
            signal.pidfd_send_signal(handle, way)
            with clock.deadline(STOP) as left:
                while not process.ended and left():
                    clock.sleep(0.01)
        if not process.ended:
            raise base.TargetError(f"qemu-nbd of {name}, process {process.pid}, does not end")
