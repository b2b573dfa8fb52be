#!/usr/bin/python3 -IS
"""The init process of a host of the lab: mounts an overlay over the files of the machine and serves commands."""

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
AGENT = pathlib.Path(agent.__file__).read_text()
UNITS = {
    "kernel-lab.service": """\
[Service]
Environment=KERNEL_LAB={host}
ExecStart=/usr/bin/python3 -IS /run/kernel-lab/agent.py {host}
""",
    "multi-user.target.d/kernel-lab.conf": "[Unit]\nWants=kernel-lab.service\n",
}
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


def own_root(results, root):
    """Mount an overlay over `root` as the root; the directory `results` stays that of the machine.

    Changes are kept in memory. With another root than that of the machine they are kept on a disk, across restarts.
    """
    insert("fs/overlayfs/overlay")
    mount("lab", "/run", "tmpfs", options="size=90%")
    if root != "/":
        keep_on_disk("/run/kept")
    for name in ("upper", "work"):
        os.makedirs(f"/run/kept/{name}", exist_ok=True)
    os.mkdir("/run/whole")
    mount("overlay", "/run/whole", "overlay",
          options=f"lowerdir={root},upperdir=/run/kept/upper,workdir=/run/kept/work")
    if results:
        mount("results", f"/run/whole{results}", "hostfs", options=results)
    mount("dev", "/run/whole/dev", "devtmpfs")
    for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"), ("devpts", "dev/pts"),
                        ("tmpfs", "dev/shm")):
        mount(kind, f"/run/whole/{place}", kind)
    os.makedirs("/run/whole/run/machine")
    checked(LIBC.syscall(PIVOT_ROOT, b"/run/whole", b"/run/whole/run/machine"), "pivot_root")
    os.chdir("/")
    mount(f"/run/machine{MODULES}", "/lib/modules", flags=MS_BIND)
    checked(LIBC.umount2(b"/run/machine", MNT_DETACH), "umount")


def keep_on_disk(place):
    """Mount the first disk of the host; create a file system on it if it has none."""
    mount("dev", "/run/dev", "devtmpfs")
    with open("/run/dev/ubda", "rb") as disk:
        disk.seek(1080)
        formatted = disk.read(2) == b"\x53\xef"
    if not formatted:
        subprocess.run(["mkfs.ext4", "-q", "/run/dev/ubda"], check=True)
    mount("/run/dev/ubda", place, "ext4")


def furnish(host):
    """Create the files, devices and modules that the tools expect."""
    for directory in ("/etc/lvm/archive", "/etc/lvm/backup", "/etc/target", "/etc/iscsi", "/run/lock", "/run/lvm"):
        os.makedirs(directory, exist_ok=True)
    pathlib.Path("/etc/lvm/lvmlocal.conf").write_text(LVM)
    pathlib.Path("/etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName=iqn.2026-01.org.kernel-lab:host{host}\n")
    for name in os.listdir("/dev"):
        if name.startswith(("tty", "pty", "vcs")) and name != "tty":
            os.unlink(f"/dev/{name}")  # LVM checks each node three times per command
    for name, place in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(f"/proc/self/fd{place}", f"/dev/{name}")
    subprocess.run(["modprobe", "-a", *WANTED], check=True)
    mount("configfs", "/sys/kernel/config", "configfs")
    lay_cables(host)


def lay_cables(host):
    commands = ["link set lo up", f"addr add {agent.address(host)}/24 dev vec0", "link set vec0 up",
                f"addr add {agent.address(host, agent.LAN)}/24 dev vec1", "link set vec1 up"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)
    socket.sethostname(f"lab{host}")


def serve(host, settings):
    os.environ.clear()
    os.environ.update(settings["environment"], KERNEL_LAB=str(host), DM_DISABLE_UDEV="1")
    agent.be_of_service(host)


def hand_over(host, settings):
    """Execute the init of the root; a unit starts the command server."""
    own_root(settings["results"], settings["root"])
    os.makedirs("/run/kernel-lab")
    pathlib.Path("/run/kernel-lab/agent.py").write_text(AGENT)
    for name, text in UNITS.items():
        path = pathlib.Path("/run/systemd/system", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(host=host))
    lay_cables(host)
    os.execv("/sbin/init", ["/sbin/init"])


def main():
    host = int(os.environ["KERNEL_LAB"])
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = json.loads(pathlib.Path("/run/kernel-lab.json").read_text())
    if settings["root"]:
        hand_over(host, settings)
    own_root(settings["results"], "/")
    furnish(host)
    child = os.fork()
    if child == 0:
        serve(host, settings)
    while os.wait()[0] != child:  # init must reap orphaned processes
        pass


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        LIBC.reboot(POWER_OFF)
