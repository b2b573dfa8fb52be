"""Selects the service on this machine if neither environment nor command line names one."""

import os
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

#: Variables that name a service or an authentication; with one of them the command behaves as `cinder`.
VARIABLES = ("OS_AUTH_TYPE", "OS_AUTH_PLUGIN", "OS_AUTH_SYSTEM", "OS_AUTH_URL", "OS_CLOUD", "OS_TOKEN", "OS_USERNAME",
             "CINDER_USERNAME", "CINDER_ENDPOINT", "CINDER_URL")
#: Options with the same effect.
OPTIONS = ("--os-auth-type", "--os-auth-url", "--os-endpoint", "--os-token", "--os-username", "--os-auth-strategy")

ENDPOINT = "http://127.0.0.1:8776/v3"
#: The file in which tools/quickstart stores the URL of its service, below the directory in which it is started.
STATE_FILE = os.path.join("quickstart-state", "endpoint")
USER = "admin"
#: As Cinder and its clients require, a project in a path consists of hexadecimal digits and dashes.
PROJECT = "00000000000000000000000000000001"


def versioned(url: str) -> str:
    """The URL of the API: /v3 is appended to a URL without a version."""
    parts = urllib.parse.urlsplit(url)
    if not parts.netloc or re.search(r"/v[23](/|$)", parts.path):
        return url
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v3"))


def with_versioned_endpoint(argv: Sequence[str]) -> list[str]:
    """The command line with the versioned URL as value of --os-endpoint."""
    arguments: list[str] = []
    before = ""
    for argument in argv:
        name, equals, value = argument.partition("=")
        if before.replace("_", "-") == "--os-endpoint":
            argument = versioned(argument)
        elif equals and name.replace("_", "-") == "--os-endpoint":
            argument = f"{name}={versioned(value)}"
        arguments.append(argument)
        before = argument
    return arguments


def names_service(environ: Mapping[str, str], argv: Sequence[str]) -> bool:
    """Whether the environment or the command line names a service."""
    return any(environ.get(name) for name in VARIABLES) or any(
        argument.partition("=")[0].replace("_", "-") in OPTIONS for argument in argv)


def endpoint(environ: Mapping[str, str], directory: str | os.PathLike[str] = ".") -> str:
    """The local service's URL: CINDER_LITE_ENDPOINT, else the one of quickstart, else Cinder's port on loopback."""
    if environ.get("CINDER_LITE_ENDPOINT"):
        return versioned(environ["CINDER_LITE_ENDPOINT"].rstrip("/"))
    try:
        with open(os.path.join(directory, STATE_FILE)) as file:
            return file.read().strip() or ENDPOINT
    except OSError:
        return ENDPOINT


def defaults(environ: Mapping[str, str], argv: Sequence[str],
             directory: str | os.PathLike[str] = ".") -> dict[str, Any]:
    """Defaults of options: a local service without authentication; only OS_ENDPOINT if a service is named."""
    if names_service(environ, argv):
        # cinderclient declares the option twice and uses the one that ignores OS_ENDPOINT.
        return {"os_endpoint": versioned(environ["OS_ENDPOINT"])} if environ.get("OS_ENDPOINT") else {}
    return {"os_auth_type": "noauth", "os_endpoint": endpoint(environ, directory),
            "os_user_id": environ.get("OS_USER_ID") or USER, "os_project_id": environ.get("OS_PROJECT_ID") or PROJECT}
