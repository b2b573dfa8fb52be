"""Starts the hosts of the lab in separate namespaces, runs the command on the first host and ends all hosts."""

import argparse
import contextlib
import ctypes
import fcntl
import functools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import agent  # noqa: E402
import direct  # noqa: E402
import namespaces  # noqa: E402

INIT, WIDE_STATE = (os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
                    for name in ("init.py", "wide_state.c"))
#: From linux/sockios.h and linux/ethtool.h: the offload settings of an interface.
SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGSO = 0x8946, 0x1F, 0x24
#: Seconds within which the hosts must be up; they take about six.
BOOT = 120
#: Seconds between checks whether the hosts still run.
GLANCE = 0.5
#: The size in bytes of the disk for the changes with --root.
STATE = 8 << 30


def parse():
    parser = argparse.ArgumentParser(prog="tools/kernel-lab", allow_abbrev=False)
    parser.add_argument("--hosts", type=int, choices=(1, 2, 3, 4), default=1)
    parser.add_argument("--disk", metavar="SIZE", type=size, action="append", default=[], dest="disks")
    parser.add_argument("--results", metavar="DIRECTORY", type=os.path.realpath)
    parser.add_argument("--root", metavar="DIRECTORY", type=os.path.realpath)
    parser.add_argument("--memory", metavar="SIZE", type=size, default="1G")
    parser.add_argument("--on", metavar="HOST", type=int)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if arguments.root and arguments.hosts > 1:
        parser.error("--root is for one host")
    if arguments.root and not os.path.lexists(os.path.join(arguments.root, "sbin/init")):
        parser.error(f"{arguments.root} is not a Debian; tools/chroot-check makes one")
    return arguments


def size(text):
    found = re.fullmatch(r"(\d+)([MGT])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size; write it as in 512M or 10G")
    return int(found[1]) << {"M": 20, "G": 30, "T": 40}[found[2]]


def main():
    arguments = parse()
    if arguments.on is not None:
        return on(arguments.on, arguments.command)
    if arguments.results:
        os.makedirs(arguments.results, exist_ok=True)
    with contextlib.ExitStack() as opened:
        disks = [opened.enter_context(new_disk(wanted)) for wanted in arguments.disks]
        arguments.state = opened.enter_context(new_disk(STATE)) if arguments.root else None
        if not arguments.root and direct.possible() and arguments.hosts == 1:
            return direct.run(arguments.command, disks)
        kinds = namespaces.MOUNTS | namespaces.PROCESSES | namespaces.NETWORK
        return namespaces.run(kinds, lambda: lab(arguments, disks))


def on(host, command):
    if "KERNEL_LAB_HOSTS" not in os.environ:
        raise SystemExit("kernel-lab: --on is only available inside a lab of several hosts")
    return agent.run(host, command, *streams(), os.getcwd())


def streams():
    """Return functions that write to stdout and stderr of this process."""
    def writer(stream):
        def write(data):
            stream.write(data)
            stream.flush()

        return write

    return writer(sys.stdout.buffer), writer(sys.stderr.buffer)


@contextlib.contextmanager
def new_disk(wanted):
    """An empty unnamed file, which disappears with the last process that has it open."""
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.truncate(wanted)
        yield file


def lab(arguments, disks):
    """Start the hosts inside the namespaces and run the command. Returns its status."""
    namespaces.mount("lab", "/run", "tmpfs")
    hosts = range(1, arguments.hosts + 1)
    environment = {
        "KERNEL_LAB_HOSTS": " ".join(agent.address(host, agent.LAN) for host in hosts),
        "KERNEL_LAB_DISKS": " ".join(f"/dev/ubd{chr(ord('b') + number)}" for number in range(len(disks)))}
    with open("/run/kernel-lab.json", "w") as file:
        json.dump({"results": arguments.results, "root": arguments.root, "environment": environment}, file)
    lay_cables(hosts)
    ready = listening(agent.PORT + 1)
    boots = [functools.partial(start, host, arguments.memory, disks if host == 1 else [], arguments.state)
             for host in hosts]
    running = [boot() for boot in boots]
    serve_outside()
    with contextlib.closing(ready):
        wait_for(ready, running)
    if arguments.root:
        threading.Thread(target=keep_up, args=(boots[0], running[0]), daemon=True).start()
        # The command must survive a restart of the host.
        environment["KERNEL_LAB"] = str(agent.OUTSIDE)
        return subprocess.run(arguments.command, env={**os.environ, **environment}).returncode
    status = agent.run(1, arguments.command, *streams(), os.getcwd())
    if status == 128 + signal.SIGKILL:
        repeat(hosts)  # the kernel of the host may have killed the command
    return status


def lay_cables(hosts):
    """Create a bridge for commands, and one between the hosts whose links tests may unplug."""
    commands = ["link set lo up"]
    for bridge, network in (("control", agent.CONTROL), ("lan", agent.LAN)):
        commands += [f"link add {bridge} type bridge", f"link set {bridge} up",
                     f"addr add {agent.address(agent.OUTSIDE, network)}/24 dev {bridge}"]
        for host in hosts:
            commands += [f"tuntap add dev {bridge}{host} mode tap", f"link set {bridge}{host} master {bridge} up"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)
    for bridge in ("control", "lan"):
        send_no_longer_frames(bridge)


def send_no_longer_frames(interface):
    """Disable segmentation offload: the hosts drop frames that a network card would have to segment."""
    with socket.socket() as sock:
        for command in (ETHTOOL_STSO, ETHTOOL_SGSO):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), ctypes.addressof(value)))


def listening(port):
    sock = socket.create_server((agent.address(agent.OUTSIDE), port))
    sock.settimeout(GLANCE)
    return sock


def keep_up(boot, running):
    """Start a host again each time it has ended, as after a reboot."""
    while True:
        running.wait()
        running = boot()


def start(host, memory, disks, state):
    """Start a host: a User-Mode-Linux process whose initial root file system is that of this machine."""
    arguments = [f"ubd{chr(ord('b') + number)}=/proc/self/fd/{disk.fileno()}" for number, disk in enumerate(disks)]
    if state is not None:
        disks = [*disks, state]
        arguments.append(f"ubda=/proc/self/fd/{state.fileno()}")
    for number, network in enumerate(("control", "lan")):
        arguments.append(f"vec{number}:transport=tap,ifname={network}{host},depth=128,gro=1,mac=02:00:00:00:{number:02x}:{host:02x}")
    with open(console(host), "ab") as log:
        return subprocess.Popen(
            ["linux.uml, once", f"mem={memory >> 20}M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={INIT}",
             "quiet",
             f"KERNEL_LAB={host}", f"umid=lab{host}", "uml_dir=/run/uml", "con=null", "con0=null,fd:1", *arguments],
            # UML executes argv[0] to restart, and would find its network devices in use: the name is invalid, so it
            # exits.
            executable="/usr/bin/linux.uml", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[disk.fileno() for disk in disks], start_new_session=True,
            env={**os.environ, "TMPDIR": "/dev/shm", **wide_state()})


@functools.cache
def wide_state():
    """Return the variables that the kernel needs on this processor; see wide_state.c."""
    with open("/proc/cpuinfo") as file:
        if " amx_tile " not in file.read():
            return {}
    library = "/run/wide_state.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, WIDE_STATE], check=True)
    return {"LD_PRELOAD": library}


def console(host):
    return f"/run/console{host}"


def serve_outside():
    """Serve commands on the outside machine too: `ip link set lan1 nomaster` there unplugs a host."""
    if os.fork() == 0:
        with namespaces.ending():
            agent.serve(agent.listen(agent.OUTSIDE))


def wait_for(ready, running):
    """Wait until all hosts serve commands."""
    up, hosts, end = set(), range(1, len(running) + 1), time.monotonic() + BOOT
    while len(up) < len(running):
        try:
            connection, _ = ready.accept()
        except TimeoutError:
            if any(host.poll() is not None for host in running):
                repeat(hosts)
                raise SystemExit("kernel-lab: a host has ended before it was up") from None
            if time.monotonic() > end:
                repeat(hosts)
                raise SystemExit(f"kernel-lab: only {len(up)} of {len(running)} hosts were up after {BOOT} s") from None
            continue
        with connection:
            up.add(int(connection.recv(8)))


def repeat(hosts):
    """Print the console output of the hosts."""
    for host in hosts:
        with open(console(host), errors="replace") as log:
            sys.stderr.write(log.read())
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
