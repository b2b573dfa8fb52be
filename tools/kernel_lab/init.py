#!/usr/bin/python3 -IS
"""The first process of a host of the lab: makes the machine's files writable for itself, then takes commands."""

import ctypes
import json
import os
import pathlib
import socket
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import agent  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_MOVE, MNT_DETACH = 4096, 8192, 2
FINIT_MODULE, PIVOT_ROOT = 313, 155  # system calls of x86-64
POWER_OFF = 0x4321FEDC
MODULES = "/usr/lib/uml/modules"
WANTED = ["dm-mod", "dm-snapshot", "dm-thin-pool", "dm-mirror", "dm-flakey", "dm-delay", "loop", "configfs"]
LVM = """\
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
devices { obtain_device_list_from_udev = 0 scan = [ "/dev" ] use_devicesfile = 0 }
"""


def checked(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind=None, flags=0, options=None):
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    os.makedirs(target, exist_ok=True)
    checked(LIBC.mount(*arguments, ctypes.c_ulong(flags), None if options is None else options.encode()),
            f"mount {target}")


def insert(module):
    with open(f"{MODULES}/{os.uname().release}/kernel/{module}.ko") as file:
        checked(LIBC.syscall(FINIT_MODULE, file.fileno(), b"", 0), module)


def own_root(results):
    """An overlay over all files of the machine becomes the root; `results` is a directory that stays the machine's."""
    insert("fs/overlayfs/overlay")
    mount("lab", "/run", "tmpfs", options="size=90%")
    for name in ("upper", "work", "whole"):
        os.mkdir(f"/run/{name}")
    mount("overlay", "/run/whole", "overlay", options="lowerdir=/,upperdir=/run/upper,workdir=/run/work")
    if results:
        mount("results", f"/run/whole{results}", "hostfs", options=results)
    mount("dev", "/run/whole/dev", "devtmpfs")
    for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"), ("devpts", "dev/pts"), ("tmpfs", "dev/shm")):
        mount(kind, f"/run/whole/{place}", kind)
    os.makedirs("/run/whole/run/machine")
    checked(LIBC.syscall(PIVOT_ROOT, b"/run/whole", b"/run/whole/run/machine"), "pivot_root")
    os.chdir("/")
    checked(LIBC.umount2(b"/run/machine", MNT_DETACH), "umount")
    mount(MODULES, "/lib/modules", flags=MS_BIND)


def furnish(host):
    """What the tools expect to find."""
    for directory in ("/etc/lvm/archive", "/etc/lvm/backup", "/etc/target", "/etc/iscsi", "/run/lock", "/run/lvm"):
        os.makedirs(directory, exist_ok=True)
    pathlib.Path("/etc/lvm/lvmlocal.conf").write_text(LVM)
    pathlib.Path("/etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName=iqn.2026-01.org.kernel-lab:host{host}\n")
    for name in os.listdir("/dev"):
        if name.startswith(("tty", "pty", "vcs")) and name != "tty":
            os.unlink(f"/dev/{name}")  # LVM looks at each node, three times a command
    for name, place in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(f"/proc/self/fd{place}", f"/dev/{name}")
    subprocess.run(["modprobe", "-a", *WANTED], check=True)
    mount("configfs", "/sys/kernel/config", "configfs")
    commands = ["link set lo up", f"addr add {agent.address(host)}/24 dev vec0", "link set vec0 up",
                f"addr add {agent.address(host, agent.LAN)}/24 dev vec1", "link set vec1 up"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)
    socket.sethostname(f"lab{host}")


def serve(host, settings):
    os.environ.clear()
    os.environ.update(settings["environment"], KERNEL_LAB=str(host), DM_DISABLE_UDEV="1")
    listening = agent.listen(host)
    with socket.create_connection((agent.address(agent.OUTSIDE), agent.PORT + 1)) as ready:
        ready.sendall(b"%d\n" % host)
    agent.serve(listening)


def main():
    host = int(os.environ["KERNEL_LAB"])
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = json.loads(pathlib.Path("/run/kernel-lab.json").read_text())
    own_root(settings["results"])
    furnish(host)
    child = os.fork()
    if child == 0:
        serve(host, settings)
    while os.wait()[0] != child:  # what others left behind is ours to bury
        pass


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        LIBC.reboot(POWER_OFF)
