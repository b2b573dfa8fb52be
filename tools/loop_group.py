"""A volume group on a loop device whose bytes are a sparse file: where tools/quickstart keeps volumes when it can."""

import os
import shutil
import subprocess
import zlib

#: Bytes that the file can grow to.
SIZE = 20 * 1024**3
#: What is called by name, and the kernel's modules where they are not built in.
PROGRAMS, MODULES = ("lvm", "losetup", "thin_check"), ("dm-mod", "dm-thin-pool", "dm-snapshot", "loop")


def reason():
    """Why there can be no such group here, or None."""
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
    """What the group in that file is called."""
    return f"quickstart-{zlib.crc32(path.encode()):08x}"


def connect(path):
    """Make the group where the file is not there yet, and its volumes usable. Raises CalledProcessError."""
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
    """Let go of the file, so that nothing keeps it when it is removed."""
    _run("vgchange", "-an", name(path))
    _run("losetup", "--detach", _device(path))


def _device(path):
    """The loop device of the file, "" when it has none."""
    return _run("losetup", "--associated", path, "--noheadings", "--output", "NAME").strip()


def _run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
