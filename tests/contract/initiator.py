"""An attaching host: qemu-img reads and writes exported volumes, without the kernel."""

import contextlib
import hashlib
import os
import random
import subprocess
import time
import uuid

#: Bytes of the volumes that are exported.
SIZE = 32 * 1024**2


def qemu(*arguments):
    """Run qemu-img. Returns (success, output)."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stdout + done.stderr


def write(path, address):
    done, said = qemu("convert", "-n", "-f", "raw", "-O", "raw", path, address)
    assert done, said


def digest_of(address, directory):
    """SHA-256 of the data that an initiator reads."""
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


def volume(directory, size=SIZE, seed=3):
    """Make a file of random bytes, and zeros in its second half, under a volume's name; its name and path."""
    name = f"volume-{uuid.uuid4()}"
    path = directory / name
    path.write_bytes(random.Random(seed).randbytes(size // 2) + bytes(size - size // 2))
    return name, str(path)


def url(data, **changes):
    """The URL for libiscsi, with a plain % between user and secret."""
    data = data | changes
    who = f"{data['auth_username']}%{data['auth_password']}@" if data.get("auth_method") else ""
    return f"iscsi://{who}{data['target_portal']}/{data['target_iqn']}/{data['target_lun']}"


@contextlib.contextmanager
def busy(address, log, name="iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-perf"):
    """An initiator, of that name, that reads and never ends."""
    with open(log, "wb") as output:
        reading = subprocess.Popen(["iscsi-perf", "-i", name, "-m", "16", "-b", "16", "-r", address], stdout=output,
                                   stderr=output)
    try:
        yield reading
    finally:
        reading.kill()
        reading.wait()


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
