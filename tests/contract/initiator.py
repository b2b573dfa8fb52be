"""A host that attaches volumes: qemu-img reads and writes what a target exports, without the kernel."""

import hashlib
import os
import subprocess
import time
import uuid

#: Bytes of the volumes that are exported.
SIZE = 32 * 1024**2


def qemu(*arguments):
    """Run qemu-img; (whether it succeeded, what it said)."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stdout + done.stderr


def write(path, address):
    done, said = qemu("convert", "-n", "-f", "raw", "-O", "raw", path, address)
    assert done, said


def digest_of(address, directory):
    """SHA-256 of what an initiator reads."""
    copy = str(directory / f"read-{uuid.uuid4()}")
    done, said = qemu("convert", "-f", "raw", "-O", "raw", address, copy)
    assert done, said
    try:
        return digest(copy)
    finally:
        os.unlink(copy)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(address):
    return next(int(line.split("(")[1].split()[0]) for line in qemu("info", "-f", "raw", address)[1].splitlines()
                if line.startswith("virtual size"))


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
