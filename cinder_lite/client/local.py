"""Which service the command talks to when nobody says: the one on this machine."""

import os
import re
import urllib.parse

#: Variables that name a service or a way to log in; with one of them the command does what `cinder` does.
VARIABLES = ("OS_AUTH_TYPE", "OS_AUTH_PLUGIN", "OS_AUTH_SYSTEM", "OS_AUTH_URL", "OS_CLOUD", "OS_TOKEN", "OS_USERNAME",
             "CINDER_USERNAME", "CINDER_ENDPOINT", "CINDER_URL")
#: Options that do the same.
OPTIONS = ("--os-auth-type", "--os-auth-url", "--os-endpoint", "--os-token", "--os-username", "--os-auth-strategy")

ENDPOINT = "http://127.0.0.1:8776/v3"
#: Where tools/quickstart leaves the address of the service that it runs, below the directory it is started in.
STATE_FILE = os.path.join("quickstart-state", "endpoint")
USER = "admin"
#: Clients and Cinder itself take hexadecimal digits and dashes for a project in a path.
PROJECT = "00000000000000000000000000000001"


def versioned(url):
    """The URL of the API in it: what ends in no version gets the newest."""
    parts = urllib.parse.urlsplit(url)
    if not parts.netloc or re.search(r"/v[23](/|$)", parts.path):
        return url
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v3"))


def words(argv):
    """The command line with such a URL as endpoint."""
    found, before = [], ""
    for word in argv:
        name, equals, value = word.partition("=")
        if before.replace("_", "-") == "--os-endpoint":
            word = versioned(word)
        elif equals and name.replace("_", "-") == "--os-endpoint":
            word = f"{name}={versioned(value)}"
        found.append(word)
        before = word
    return found


def named(environ, argv):
    """Whether the environment or the command line names a service."""
    return any(environ.get(name) for name in VARIABLES) or any(
        word.partition("=")[0].replace("_", "-") in OPTIONS for word in argv)


def endpoint(environ, directory="."):
    """The local service's URL: CINDER_LITE_ENDPOINT, else what quickstart has left, else Cinder's port on loopback."""
    if environ.get("CINDER_LITE_ENDPOINT"):
        return versioned(environ["CINDER_LITE_ENDPOINT"].rstrip("/"))
    try:
        with open(os.path.join(directory, STATE_FILE)) as file:
            return file.read().strip() or ENDPOINT
    except OSError:
        return ENDPOINT


def defaults(environ, argv, directory="."):
    """Option values for a local service without authentication; at most its URL when a service is named otherwise."""
    if named(environ, argv):
        # Of the two options of that name cinderclient takes the one that does not read OS_ENDPOINT.
        return {"os_endpoint": versioned(environ["OS_ENDPOINT"])} if environ.get("OS_ENDPOINT") else {}
    return {"os_auth_type": "noauth", "os_endpoint": endpoint(environ, directory),
            "os_user_id": environ.get("OS_USER_ID") or USER, "os_project_id": environ.get("OS_PROJECT_ID") or PROJECT}
