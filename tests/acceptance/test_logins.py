"""The credentials of the installer, quickstart and the documentation, used unchanged with each client."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from tests import product
from tests.acceptance.clients import BIN
from tests.meta.source import TOP
from tests.services.daemons import as_text
from tests.services.processes import Directory, Process, free_port

sys.path.append(str(TOP / "tools" / "installer"))

import settings  # noqa: E402

SDK = "import openstack; print([volume.name for volume in openstack.connect({}).block_storage.volumes()])"
#: Client -> (command that makes the volume NAME, command that lists it).
CLIENTS = {
    "cinder": ("cinder create 1 --name NAME", "cinder list"),
    "cinder-lite": ("cinder-lite create 1 --name NAME --wait", "cinder-lite list"),
    "openstack": ("openstack volume create --size 1 NAME", "openstack volume list"),
    "openstacksdk": ("openstack volume create --size 1 NAME", f"python -c '{SDK.format('')}'"),
}


@pytest.fixture
def directory():
    made = Directory("logins")
    os.mkdir(os.path.join(made.path, "bin"))
    for name, program in {**{name: BIN / name for name in ("cinder", "openstack", "python")},
                          "cinder-lite": product.program("cinder-lite")}.items():
        os.chmod(made.make(f"bin/{name}", f'#!/bin/sh\nexec {program} "$@"\n'), 0o755)
    yield made
    made.remove()


@pytest.fixture
def types(directory):
    """Type a script in a shell of a user who has the clients; its output. The page's other login was read in before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "CINDER", "PYTHON"))}
    kept |= {"PATH": f"{directory.path}/bin:{os.environ['PATH']}", "HOME": directory.path, "OS_AUTH_TYPE": "http_basic",
             "OS_ENDPOINT": "http://127.0.0.1:1/v3", "OS_PROJECT_ID": "before"}

    def types(script, check=True):
        done = subprocess.run(["bash", "-ec", script], env=kept, cwd=directory.path, capture_output=True, text=True,
                              timeout=600)
        assert done.returncode == 0 or not check, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    return types


@pytest.fixture
def installed(directory, monkeypatch):
    """A service with the files that the installer writes without any flag, but on a free port."""
    port = str(free_port())
    for name in ("CONF", "CHOICES", "LOGIN", "CLOUDS", "HTPASSWD", "HTROLES"):
        monkeypatch.setattr(settings, name, os.path.join(directory.path, os.path.basename(getattr(settings, name))))
    texts = settings.files(settings.Choices())
    for path, text in texts.items():
        directory.make(os.path.basename(path), text.replace(":8776", f":{port}"))
    hashed = subprocess.run([product.python(), "-c", "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), "
                             "bcrypt.gensalt(4)).decode())", settings.login_password()], capture_output=True, text=True)
    directory.make("htpasswd", f"admin:{hashed.stdout}")
    directory.make("own.conf", as_text({
        "DEFAULT": {"state_path": directory.path, "auth_strategy": "http_basic", "osapi_volume_listen": "127.0.0.1",
                    "osapi_volume_listen_port": port, "http_basic_auth_user_file": settings.HTPASSWD,
                    "http_basic_auth_roles_file": settings.HTROLES, "enabled_backends": "null-1", "report_interval": 1},
        "database": {"connection": f"sqlite:///{directory.path}/cinder.sqlite"}, "null-1": {"volume_driver": "null"}}))
    process = Process("cinder-lite-all", [product.program("cinder-lite-all"), "--config-file",
                                          f"{directory.path}/own.conf"],
                      f"{directory.path}/log")
    process.start()
    asks = lambda path: requests.get(  # noqa: E731
        f"http://127.0.0.1:{port}{path}", auth=("admin", settings.login_password()), timeout=60)

    def ready():
        try:
            return asks("/v3/scheduler-stats/get_pools").json().get("pools")
        except requests.ConnectionError:
            return False

    process.wait(ready)
    yield process
    process.stop(signal.SIGTERM)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_installers_login(installed, types, client):
    make, show = CLIENTS[client]
    types(f". ./admin.rc; {make.replace('NAME', 'mine')}")
    assert "mine" in types(f". ./admin.rc; {show}")


def test_the_installers_cloud_alone(installed, types):
    forget = "unset ${!OS_*}; export OS_CLIENT_CONFIG_FILE=$PWD/clouds.yaml"
    said = types(f"{forget}; openstack --os-cloud cinder-lite volume create --size 1 mine")
    assert "mine" in said
    assert types(f"{forget}; python -c '" + SDK.format('cloud="cinder-lite"') + "'") == "['mine']\n"


def chapter(page, title):
    return (TOP / page).read_text().split(f"# {title}\n")[1].split("\n## ")[0]


def test_what_readme_says_while_quickstart_serves(directory, types):
    os.symlink(os.path.dirname(os.path.dirname(product.python())), os.path.join(directory.path, ".venv"))
    words = [product.python(), TOP / "tools/quickstart.py", "--port", str(free_port()), "--target", "nbd", "--state",
             f"{directory.path}/quickstart-state"]
    running = Process("quickstart", words, f"{directory.path}/log")
    running.start()
    try:
        running.wait(lambda: running.tail(1).startswith("Press Ctrl-C to stop"), limit=300)
        using = chapter("README.md", "Usage")
        script = "\n".join(re.findall(r"^    (\S.*)", using, re.M))
        assert all(word in script for word in ("cinder create", "cinder-lite create", "openstack volume list"))
        said = types(script)
        assert "first" in said and "second" in said
        with open(f"{directory.path}/using.py", "w") as file:
            file.write(re.search(r"```python\n(.*?)```", using, re.S)[1])
        types(". quickstart-state/admin.rc; python using.py")
        assert "third" in types("unset ${!OS_*}; .venv/bin/cinder-lite list")
    finally:
        running.stop(signal.SIGINT)


@pytest.mark.parametrize("client", CLIENTS)
def test_keystones_login_as_the_page_shows_it(keystone, service, types, client):
    shown = re.search(r"((?:    export OS_.*\n)+)", chapter("docs/identity.md", "keystone"))[1]
    typed = shown.replace("http://keystone:5000/v3", keystone.url).replace("OS_PASSWORD=...",
                                                                           f"OS_PASSWORD={keystone.password}")
    make, show = CLIENTS[client]
    name = f"by-{client}"
    types(f"unset ${{!OS_*}}\n{typed}\n{make.replace('NAME', name)}")
    assert name in types(f"unset ${{!OS_*}}\n{typed}\n{show}")


def test_keystones_cloud_as_the_page_shows_it(keystone, service, types, directory):
    cloud = re.search(r"```yaml\n(.*?)```", chapter("docs/identity.md", "keystone"), re.S)[1]
    directory.make("clouds.yaml", cloud.replace("http://keystone:5000/v3", keystone.url).replace(
        "password: ...", f"password: {keystone.password}"))
    forget = "unset ${!OS_*}"
    assert "mine" in types(f"{forget}; openstack --os-cloud cinder volume create --size 1 mine")
    assert "mine" in types(f"{forget}; python -c '" + SDK.format('cloud="cinder"') + "'")
