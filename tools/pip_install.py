"""Installs Python packages for the running Python; takes the arguments of `pip install`.

It uses uv, which takes seconds, with the settings of pip, which uv does not read itself. If uv is not available or
fails (an index may need features that only pip has), it uses pip.
"""

import ast
import contextlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
#: The location of uv for all environments of the checkout, if the machine has no uv.
FETCHED = TOP / ".tox" / "uv"
#: Seconds after which fetching uv is given up.
PATIENCE = 120
#: Settings of pip -> arguments of uv. A list becomes one argument for each item.
ARGUMENTS = {"index-url": "--index-url", "extra-index-url": "--extra-index-url", "find-links": "--find-links",
             "trusted-host": "--allow-insecure-host", "constraint": "--constraints", "no-binary": "--no-binary",
             "only-binary": "--only-binary"}
FLAGS = {"no-index": "--no-index", "pre": "--prerelease=allow", "require-hashes": "--require-hashes"}
#: Settings of pip -> environment variables of uv and its libraries.
VARIABLES = {"cert": ("SSL_CERT_FILE",), "client-cert": ("SSL_CLIENT_CERT",), "timeout": ("UV_HTTP_TIMEOUT",),
             "default-timeout": ("UV_HTTP_TIMEOUT",), "proxy": ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
#: The behaviour of pip: the best version from all indexes, the certificates of the system, compiled modules.
LIKE_PIP = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true", "UV_COMPILE_BYTECODE": "true"}


def main(arguments):
    """Install the packages. Returns the exit status."""
    expect_pip()
    uv = find() or fetch(arguments)
    if uv:
        more, variables = translated(settings())
        done = subprocess.run([uv, "pip", "install", "--python", sys.executable, *more, *arguments],
                              env={**LIKE_PIP, **os.environ, **variables})
        if done.returncode == 0:
            return 0
        print("uv cannot install the packages; using pip.", file=sys.stderr, flush=True)
    return subprocess.run([*PIP, "install", "--disable-pip-version-check", *arguments]).returncode


PIP = (sys.executable, "-m", "pip")


def expect_pip():
    """Install pip if it is missing: it reports the settings and is the fallback for uv."""
    if importlib.util.find_spec("pip") is None:
        subprocess.run([sys.executable, "-m", "ensurepip"], check=True, capture_output=True)


def find():
    """Return the path of uv, or None."""
    beside = (os.path.join(os.path.dirname(sys.executable), "uv"), FETCHED / "bin" / "uv")
    return shutil.which("uv") or next((str(path) for path in beside if os.access(path, os.X_OK)), None)


def fetch(arguments):
    """Install uv with pip, from the package sources in the arguments. Returns its path, or None if this fails."""
    source = [word for name in ("--find-links", "-f") if name in arguments
              for word in ("--find-links", arguments[arguments.index(name) + 1])]
    source += ["--no-index"] * ("--no-index" in arguments)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        FETCHED.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FETCHED.parent) as made:
            subprocess.run([*PIP, "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "--retries",
                            "1",
                            *source, "-c", TOP / "constraints.txt", "--target", f"{made}/uv", "uv"],
                           check=True, timeout=PATIENCE, capture_output=True)
            # Another process may have done the same.
            with contextlib.suppress(OSError):
                os.rename(f"{made}/uv", FETCHED)
    return find()


def settings():
    """Return {name: value} of the settings of `pip install`: global settings, then install settings, then variables."""
    said = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True).stdout
    found = {}
    for place in ("global.", "install.", ":env:."):
        for line in said.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(place):
                found[name[len(place):]] = str(ast.literal_eval(value))
    return found


def translated(found):
    """Return the (arguments, {variable: value}) of uv that correspond to the settings of pip."""
    arguments = [word for name, option in ARGUMENTS.items() for value in found.get(name, "").split()
                 for word in (option, value)]
    arguments += [flag for name, flag in FLAGS.items() if found.get(name, "").lower() in ("1", "true", "yes", "on")]
    variables = {variable: found[name] for name, names in VARIABLES.items() if name in found for variable in names}
    return arguments, variables


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
