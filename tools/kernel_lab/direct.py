"""Runs the command on this machine, on loop devices, if its kernel has device-mapper."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import namespaces

LOOP_CTL_GET_FREE, LOOP_SET_FD, LOOP_CLR_FD = 0x4C82, 0x4C00, 0x4C01
#: Seconds after which removing the devices is given up.
PATIENCE = 20


def possible():
    """Whether this kernel has device-mapper and loop devices."""
    subprocess.run(["modprobe", "-aq", "dm-mod", "dm-snapshot", "dm-thin-pool", "loop"], stderr=subprocess.DEVNULL)
    return os.path.exists("/sys/class/misc/device-mapper") and os.path.exists("/dev/loop-control")


def run(command, disks):
    """Run the command with the disks as loop devices. Returns its status. A separate process cleans up."""
    loops = [attach(disk) for disk in disks]
    ours, theirs = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        with namespaces.ending():
            os.setsid()
            os.close(theirs)
            keep(ours, loops)
            os._exit(0)
    os.close(ours)
    environment = {"KERNEL_LAB": "1", "KERNEL_LAB_HOSTS": "127.0.0.1", "KERNEL_LAB_DISKS": " ".join(loops)}

    def call():
        status = subprocess.run(command, env={**os.environ, **environment}).returncode
        return status if status >= 0 else 128 - status

    status = namespaces.run(namespaces.MOUNTS | namespaces.PROCESSES, call)
    os.close(theirs)
    os.waitpid(keeper, 0)
    return status


def attach(disk):
    """Attach the file to a loop device. Returns the path of the device."""
    with open("/dev/loop-control", "rb") as control:
        while True:
            path = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
            with open(path, "r+b") as loop:
                try:
                    fcntl.ioctl(loop, LOOP_SET_FD, disk.fileno())
                    return path
                except BlockingIOError:
                    continue
                except OSError as error:
                    if error.errno != 16:  # EBUSY: another process took the device
                        raise


def keep(pipe, loops):
    """Wait until the command and its parent have ended, then remove the loop devices and all devices on them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.read(pipe, 1)
    end = time.monotonic() + PATIENCE
    while left := [above for loop in loops for above in holders(os.path.basename(loop))]:
        for device in left:
            subprocess.run(["dmsetup", "remove", "--force", f"/dev/{device}"], capture_output=True)
        if time.monotonic() > end:
            print(f"kernel-lab: {' '.join(left)} could not be removed", file=sys.stderr)
            break
        time.sleep(0.1)
    for path in loops:
        with open(path, "rb") as loop:
            fcntl.ioctl(loop, LOOP_CLR_FD)


def holders(device):
    """Return the devices on top of a device, the uppermost first."""
    found = []
    for holder in os.listdir(f"/sys/block/{device}/holders"):
        found += [*holders(holder), holder]
    return list(dict.fromkeys(found))
