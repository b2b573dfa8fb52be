"""The strategy http_basic: users and passwords in a file."""

import os
import subprocess
import sys

import bcrypt
import pytest
import requests

from cinder_lite import conf
from cinder_lite.api.auth import strategy
from tests.functional.service import Service, until

PEOPLE = {"ann": ("blue", "member"), "rita": ("blue", "reader"), "root": ("red", "admin"),
          "nova": ("blue", "member,service")}
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


def line(name, password):
    return f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(htpasswd, roles): a file of passwords, `secret-NAME` for each, and one of roles."""
    directory = tmp_path_factory.mktemp("basic")
    passwords, roles = directory / "htpasswd", directory / "htroles"
    passwords.write_text("".join(line(name, f"secret-{name}") for name in (*PEOPLE, "stranger")))
    roles.write_text("# NAME:PROJECT:ROLES\n" + "".join(f"{name}:{project}:{given}\n"
                                                      for name, (project, given) in PEOPLE.items()))
    return passwords, roles


@pytest.fixture(scope="module")
def service(files):
    options = (f"auth_strategy = http_basic\nhttp_basic_auth_user_file = {files[0]}\n"
               f"http_basic_auth_roles_file = {files[1]}")
    with Service(backends=("null-1",), target=False, default=options) as running:
        yield running


@pytest.fixture
def ask(service):
    """A request as a user: ask(name, method, path, body) -> the response."""
    def request(name, method, path, body=None, password=None):
        return requests.request(method, f"{service.url}/v3{path}", json=body, timeout=60,
                                auth=name and (name, password or f"secret-{name}"),
                                headers={"OpenStack-API-Version": "volume 3.71"})
    return request


def test_roles_decide(ask):
    made = ask("ann", "POST", "/volumes", {"volume": {"size": 1}})
    assert made.status_code == 202
    path = f"/volumes/{made.json()['volume']['id']}"
    assert ask("rita", "GET", path).status_code == 200
    assert ask("rita", "DELETE", path).status_code == 403
    assert ask("ann", "GET", "/os-services").status_code == 403
    assert ask("root", "GET", path).status_code == 200
    assert ask("root", "GET", "/os-services").status_code == 200
    assert ask("ann", "GET", f"/blue{path}").status_code == 200
    assert ask("ann", "GET", f"/red{path}").status_code == 400


@pytest.mark.parametrize(("name", "password"), [
    (None, None), ("ann", "wrong"), ("nobody", "x"), ("ann", "x" * 100), ("ann", "secret-ann\0")])
def test_an_unknown_user_gets_401_with_a_challenge(ask, name, password):
    answer = ask(name, "GET", "/volumes", password=password)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert ask("ann", "GET", "/volumes").status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer x", "Basic YW5u", ""])
def test_a_malformed_header_is_refused(service, header):
    answer = requests.get(f"{service.url}/v3/volumes", headers={"Authorization": header}, timeout=60)
    assert answer.status_code == 401


def test_versions_and_health_need_no_name(service):
    assert requests.get(service.url, timeout=60).status_code == 300
    assert requests.get(f"{service.url}/v3/", timeout=60).status_code == 200
    assert requests.get(f"{service.url}/healthcheck", timeout=60).status_code == 200


@pytest.mark.parametrize(("name", "status"), [(None, 401), ("rita", 403), ("ann", 403), ("root", 200)])
def test_how_services_do_is_for_administrators(service, name, status):
    answer = requests.get(f"{service.url}/healthcheck?detailed", auth=name and (name, f"secret-{name}"), timeout=60)
    assert answer.status_code == status
    assert ("cinder-volume" in answer.text) == (status == 200)


def test_a_user_without_a_project_gets_the_reason(ask):
    answer = ask("stranger", "GET", "/volumes")
    assert answer.status_code == 403
    assert "no project" in answer.json()["forbidden"]["message"]


def test_the_files_are_read_again_when_they_change(ask, files):
    passwords, roles = files
    before = passwords.read_text(), roles.read_text()
    assert ask("rita", "GET", "/volumes").status_code == 200
    passwords.write_text(before[0].replace(before[0].splitlines()[1], line("rita", "new").strip()))
    roles.write_text(before[1] + "stranger:green:reader\n")
    os.utime(passwords, ns=(1, 1))
    assert ask("rita", "GET", "/volumes").status_code == 401
    assert ask("rita", "GET", "/volumes", password="new").status_code == 200
    assert ask("stranger", "GET", "/volumes").status_code == 200
    for path, text in zip(files, before, strict=True):
        path.write_text(text)


def test_only_the_role_service_may_detach_a_volume_from_a_server(ask):
    volume = ask("ann", "POST", "/volumes", {"volume": {"size": 1}}).json()["volume"]["id"]
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": SERVER, "connector": {"host": "h"}}}

    def attach():
        answer = ask("nova", "POST", "/attachments", body)
        return answer if answer.status_code == 200 else None

    attachment = until(attach, "the volume to be attachable").json()["attachment"]["id"]
    assert ask("ann", "DELETE", f"/attachments/{attachment}").status_code == 409
    assert ask("nova", "DELETE", f"/attachments/{attachment}").status_code == 200


@pytest.mark.parametrize(("passwords", "roles", "said"), [
    (None, "ann:blue:member", "cannot be read"),
    ("ann:{SHA}x", "ann:blue:member", "line 1"),
    ("ann:$2b$04$x", "ann:blue", "NAME:PROJECT:ROLE"),
    ("ann:$2b$04$x", "bob:blue:member", "no user is both in"),
])
def test_files_without_valid_users_prevent_the_start(tmp_path, passwords, roles, said):
    if passwords is not None:
        (tmp_path / "htpasswd").write_text(passwords)
    (tmp_path / "htroles").write_text(roles)
    file = tmp_path / "cinder.conf"
    file.write_text(f"[DEFAULT]\nauth_strategy = http_basic\nhttp_basic_auth_user_file = {tmp_path}/htpasswd\n"
                    f"http_basic_auth_roles_file = {tmp_path}/htroles\n")
    wrong = strategy.configuration_error(conf.load([], files=[str(file)]))
    assert wrong.startswith("auth_strategy is http_basic, but ")
    assert said in wrong


def test_the_command_line_client_logs_in(service):
    project = "00000000000000000000000000000001"
    env = {**os.environ, "OS_AUTH_TYPE": "http_basic", "OS_ENDPOINT": f"{service.url}/v3", "OS_USERNAME": "ann",
           "OS_PASSWORD": "secret-ann", "OS_PROJECT_ID": project}
    done = subprocess.run([sys.executable, "-m", "cinder_lite.client.shell", "create", "1", "--name", "by-ann"],
                          env=env,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "by-ann" in done.stdout, done.stderr
    env["OS_PASSWORD"] = "wrong"
    done = subprocess.run([sys.executable, "-m", "cinder_lite.client.shell", "list"], env=env, capture_output=True,
                          text=True,
                          timeout=120)
    assert done.returncode != 0 and "401" in done.stderr, done.stderr


@pytest.mark.parametrize(("name", "word", "said"), [
    ("root", "doctor", "No problems found"), ("root", "top", "Services: 3 of 3 up"),
    ("ann", "doctor", "Only administrators can see"), ("ann", "top", "403")])
def test_how_services_do_is_shown_to_administrators(service, name, word, said):
    env = {**os.environ, "OS_AUTH_TYPE": "http_basic", "OS_ENDPOINT": f"{service.url}/v3", "OS_USERNAME": name,
           "OS_PASSWORD": f"secret-{name}", "OS_PROJECT_ID": "00000000000000000000000000000001"}
    done = subprocess.run([sys.executable, "-m", "cinder_lite.client.shell", word], env=env, capture_output=True,
                          text=True,
                          timeout=120)
    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) == (name == "root") and "Traceback" not in done.stderr
