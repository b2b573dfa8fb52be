"""A volume group on a loop device over a sparse file, for the volumes of tools/quickstart."""

import os
import shutil
import subprocess
import zlib

#: The maximum size of the file in bytes.
SIZE = 20 * 1024**3
#: The required programs and kernel modules.
PROGRAMS, MODULES = ("lvm", "losetup", "thin_check"), ("dm-mod", "dm-thin-pool", "dm-snapshot", "loop")


def reason():
    """Return the reason why a group is not possible on this machine, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-aq", *MODULES], stderr=subprocess.DEVNULL)
    for what, path in (("device-mapper", "/sys/class/misc/device-mapper"), ("loop devices", "/dev/loop-control")):
        if not os.path.exists(path):
            return f"this kernel has no {what}"
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    return f"{', '.join(missing)} is not installed" if missing else None


def name(path):
    """Return the name of the group in the file."""
    return f"quickstart-{zlib.crc32(path.encode()):08x}"


def connect(path):
    """Create the group if the file does not exist, and activate its volumes. Raises CalledProcessError."""
    new = not os.path.exists(path)
    if new:
        with open(path, "w") as file:
            file.truncate(SIZE)
    device = _device(path) or _run("losetup", "--find", "--show", path).strip()
    if new:
        _run("vgcreate", "-y", name(path), device)
    else:
        _run("vgchange", "-ay", name(path))


def disconnect(path):
    """Deactivate the group and detach the file, so that the file can be removed."""
    _run("vgchange", "-an", name(path))
    _run("losetup", "--detach", _device(path))


def _device(path):
    """Return the loop device of the file, or an empty string."""
    return _run("losetup", "--associated", path, "--noheadings", "--output", "NAME").strip()


def _run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
