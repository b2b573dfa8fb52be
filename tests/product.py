"""Environments of the service as users install it: the package and its declared requirements, without test packages.

tox creates them for the first test that needs them, and again when the requirements of the package have changed.
"""

import fcntl
import functools
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[1]
DECLARED = ("setup.cfg", "constraints.txt", "tox.ini")


@functools.cache
def python(extra=None):
    """The Python of the environment with the package alone, or with one of its extras."""
    name = f"product-{extra}" if extra else "product"
    environment = TOP / ".tox" / name
    # A link leads to the environment of another checkout, which is that one's to make.
    if not environment.is_symlink():
        _make(name, environment / "made")
    return str(environment / "bin" / "python")


def program(name, extra=None):
    """The path of a command of the package's."""
    return os.path.join(os.path.dirname(python(extra)), name)


def _make(name, stamp):
    # Tiers that run side by side share it.
    with open(TOP / ".tox" / "product.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and all(stamp.stat().st_mtime >= (TOP / declared).stat().st_mtime for declared in DECLARED):
            return
        tox = shutil.which("tox") or TOP / ".tox/tool/bin/tox"
        done = subprocess.run([tox, "run", "-q", "-e", name, "--notest"], cwd=TOP, capture_output=True, text=True, env={
            name: value for name, value in os.environ.items() if not name.startswith("TOX_")})
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.touch()
