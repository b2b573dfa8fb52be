"""Fixtures of the contract suite: disks with other file systems, a driver on each, free ports."""

import subprocess

import pytest

from tests.contract import backends, initiator


@pytest.fixture(scope="session")
def disks(tmp_path_factory):
    """A function that mounts a new disk and gives its directory: 2 GiB of XFS or btrfs, or 12 MiB of tmpfs."""
    mounted = {}

    def mount(kind):
        if kind not in mounted:
            image, directory = (tmp_path_factory.mktemp(kind) / name for name in ("image", "disk"))
            directory.mkdir()
            command = ["mount", "-o", "loop", image, directory]
            if kind == "tmpfs":
                command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", directory]
            else:
                with open(image, "wb") as file:
                    file.truncate(2 * 1024**3)
                subprocess.run([f"mkfs.{kind}", "-q", image], check=True, capture_output=True)
            subprocess.run(command, check=True)
            mounted[kind] = directory
        return mounted[kind]

    yield mount
    for directory in mounted.values():
        subprocess.run(["umount", directory], check=True)


@pytest.fixture(params=backends.DRIVERS)
def driver(request, tmp_path, disks):
    """Each driver in turn, on a separate backend."""
    return backends.DRIVERS[request.param](tmp_path, disks)


@pytest.fixture(params=backends.KEEPING_DATA)
def keeper(request, tmp_path, disks):
    """Each driver that keeps data, in turn."""
    return backends.DRIVERS[request.param](tmp_path, disks)


@pytest.fixture
def volume(tmp_path):
    """A function that creates a file of random bytes with a volume name, and returns name and path."""
    return lambda *args, **values: initiator.volume(tmp_path, *args, **values)
