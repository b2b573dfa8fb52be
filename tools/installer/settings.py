"""The choices of an installation and the resulting settings: the first cinder.conf, passwords and users."""

import argparse
import configparser
import dataclasses
import ipaddress
import json
import os
import re
import secrets
import socket

import login

DIRECTORY = "/etc/cinder"
CONF, CHOICES, LOGIN, CLOUDS = (f"{DIRECTORY}/{name}" for name in ("cinder.conf", "install.json", "admin.rc",
                                                                   "clouds.yaml"))
HTPASSWD, HTROLES = f"{DIRECTORY}/htpasswd", f"{DIRECTORY}/htroles"
ISCSI_PORT = 3260
PROJECT = "00000000000000000000000000000001"
#: What the file of --cluster has to have, and the settings that go with a broker of several nodes: queues on all of
#: them, and a lost node noticed within 10 s instead of 60 s. docs/ha.md explains them.
SHARED = (("DEFAULT", "transport_url"), ("database", "connection"))
SEVERAL_BROKERS = {"rabbit_quorum_queue": "true", "rabbit_transient_quorum_queue": "true",
                   "heartbeat_timeout_threshold": 10, "heartbeat_rate": 2}
SOCKET = "/run/mysqld/mysqld.sock"


@dataclasses.dataclass(frozen=True)
class Choices:
    """The command line options with their defaults."""

    services: bool = False
    database: str = "mariadb"
    backend: str = "file"
    volume_group: str = "cinder-volumes"
    rbd_pool: str = "volumes"
    rbd_user: str = "cinder"
    auth: str = "http_basic"
    keystone_url: str = ""
    address: str = "127.0.0.1"
    cluster: str = ""

    @property
    def exports(self):
        """Whether tgtd exports the volumes."""
        return self.backend != "rbd"

    @property
    def processes(self):
        return ("api", "scheduler", "volume", "backup") if self.services else ("all",)


ALLOWED = {"database": ("mariadb", "postgresql"), "backend": ("lvm", "rbd", "file"), "auth": ("http_basic", "keystone")}


def parse(argv):
    """Return (choices, other options). Missing choices come from the existing installation or the defaults."""
    parser = argparse.ArgumentParser(prog="tools/install", allow_abbrev=False)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--remove", action="store_true")
    parser.add_argument("--wheels", type=os.path.abspath)
    for field in dataclasses.fields(Choices):
        how = {"action": "store_true"} if field.type is bool else {"choices": ALLOWED.get(field.name)}
        parser.add_argument("--" + field.name.replace("_", "-"), default=argparse.SUPPRESS, **how)
    said = vars(parser.parse_args(argv))
    other = argparse.Namespace(**{name: said.pop(name) for name in ("dry_run", "remove", "wheels")})
    before = remembered()
    for name, value in said.items():
        if before and getattr(before, name) != value:
            parser.error(f"this machine was installed with {name} = {getattr(before, name)}: omit the option and "
                         f"change {CONF} manually; or run --remove first and move {DIRECTORY} away")
    choices = dataclasses.replace(before or Choices(), **said)
    for name, pattern in (("volume_group", r"[\w.+-]+"), ("rbd_pool", r"[\w.-]+"), ("rbd_user", r"[\w.-]+"),
                          ("address", r"[0-9a-fA-F.:]+"), ("keystone_url", r"(https?://\S+)?")):
        if not re.fullmatch(pattern, getattr(choices, name)):
            parser.error(f"--{name.replace('_', '-')} cannot be '{getattr(choices, name)}'")
    if not is_here(choices.address) and not other.remove:
        parser.error(f"--address cannot be '{choices.address}', which is not an address of this machine: the API and "
                     "the targets listen there")
    if other.wheels and not os.path.isdir(other.wheels):
        parser.error(f"--wheels: there is no directory {other.wheels}")
    if choices.cluster and not (choices.services and os.path.isabs(choices.cluster)):
        parser.error("--cluster needs --services and the absolute path of a file")
    if choices.cluster and not before and not all(cluster(choices).has_option(*option) for option in SHARED):
        parser.error(f"--cluster: {choices.cluster} has no [DEFAULT] transport_url or no [database] connection")
    if choices.auth == "keystone" and not choices.keystone_url:
        parser.error("--auth keystone needs --keystone-url, as in http://keystone:5000/v3")
    return choices, other


def is_here(address):
    """Whether the address belongs to this machine and is not a wildcard."""
    try:
        if ipaddress.ip_address(address).is_unspecified:
            return False
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.bind((address, 0))
        return True
    except (ValueError, OSError):
        return False


def remembered():
    """Return the choices of the existing installation, or None."""
    try:
        with open(CHOICES) as file:
            return Choices(**json.load(file))
    except (FileNotFoundError, PermissionError):
        return None


def files(choices):
    """Return {path: text} of the settings of a first installation, with new secrets."""
    found = {CONF: configuration(choices), CHOICES: json.dumps(dataclasses.asdict(choices), indent=1) + "\n"}
    if choices.auth == "http_basic":
        address = cluster(choices).get("login", "address", fallback=choices.address)
        host = f"[{address}]" if ":" in address else address
        found[HTROLES] = f"# NAME:PROJECT:ROLE,ROLE\nadmin:{PROJECT}:admin\n"
        found[LOGIN], found[CLOUDS] = login.http_basic(f"http://{host}:8776/v3", PROJECT, CLOUDS, "admin",
                                                       login_password() or cluster(choices).get(
                                                           "login", "password", fallback=secret()))
    return found


def cluster(choices):
    """Return what the hosts of a cluster share, by the file of --cluster; empty without it.

    [DEFAULT] transport_url, [database] connection, and perhaps [login] address and password of the administrator.
    """
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(choices.cluster or ())
    return conf


def is_to_be_written(path):
    """Whether a file is missing, or has the login format of a former release, which only cinder-lite accepted."""
    try:
        with open(path) as file:
            return path == LOGIN and "export OS_AUTH_TYPE=http_basic OS_ENDPOINT=" in file.read()
    except (FileNotFoundError, PermissionError):
        return not os.path.exists(path)


def secret():
    return secrets.token_urlsafe(24)


def configuration(choices):
    """Return the text of the first cinder.conf."""
    sections = {
        "DEFAULT": {"auth_strategy": choices.auth, "enabled_backends": choices.backend, "log_dir": "/var/log/cinder",
                    "my_ip": choices.address, "osapi_volume_listen": choices.address},
        choices.backend: {"volume_driver": choices.backend, "volume_backend_name": choices.backend, **backend(choices)},
    }
    if choices.cluster:
        sections["DEFAULT"] |= {"osapi_volume_workers": 2}
        for section, option in SHARED:
            sections.setdefault(section, {})[option] = cluster(choices).get(section, option, fallback="")
        sections["oslo_messaging_rabbit"] = SEVERAL_BROKERS
        # Longer than a balancer needs to notice.
        sections["healthcheck"] = {"stop_delay": 3}
    elif choices.services:
        sections["DEFAULT"] |= {"osapi_volume_workers": 2,
                                "transport_url": f"rabbit://cinder:{secret()}@127.0.0.1:5672/cinder"}
        sections["database"] = {"connection": {
            "mariadb": f"mysql://cinder:{secret()}@localhost/cinder?unix_socket={SOCKET}",
            "postgresql": f"postgresql+psycopg://cinder:{secret()}@127.0.0.1/cinder"}[choices.database]}
    else:
        sections["database"] = {"connection": "sqlite:////var/lib/cinder/cinder.sqlite"}
    if choices.auth == "keystone":
        sections["keystone_authtoken"] = {
            "www_authenticate_uri": choices.keystone_url, "auth_type": "password", "auth_url": choices.keystone_url,
            "username": "cinder", "password": secret(), "user_domain_name": "Default", "project_name": "service",
            "project_domain_name": "Default", "service_token_roles": "service"}
    lines = ["# Written once by tools/install. All options: etc/cinder/cinder.conf.sample"]
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in values.items()), ""]
    return "\n".join(lines)


def backend(choices):
    """Return the options of the backend section, except the driver."""
    exported = {"target_helper": "tgt", "target_ip_address": choices.address, "target_port": ISCSI_PORT,
                "tgt_control_socket": "/run/cinder-lite-tgt/socket"}
    return {
        "lvm": {"volume_group": choices.volume_group, "lvm_type": "auto", **exported},
        "file": {"file_volume_dir": "/var/lib/cinder/volumes", **exported},
        "rbd": {"rbd_pool": choices.rbd_pool, "rbd_user": choices.rbd_user, "rbd_ceph_conf": "/etc/ceph/ceph.conf"},
    }[choices.backend]


def written():
    """Return the configuration file; empty if it does not exist."""
    conf = configparser.ConfigParser(interpolation=None, strict=False)
    conf.read(CONF)
    return conf


def extras():
    """Return the extras that the settings need, in the notation of pip."""
    return "[tracing]" if written().get("tracing", "enabled", fallback="").lower() in ("true", "1", "yes", "on") else ""


def wants_mysqlclient(choices):
    """Whether the URL of the database leaves the driver of MariaDB open or names mysqlclient."""
    chosen = "mysql:" if choices.services and choices.database == "mariadb" else ""
    chosen = cluster(choices).get("database", "connection", fallback=chosen)
    return written().get("database", "connection", fallback=chosen).startswith(("mysql:", "mariadb:", "mysql+mysqldb:"))


def passwords():
    """Return the passwords (database, broker) from the configuration file."""
    conf = written()
    return tuple(password(conf.get(section, option, fallback=""))
                 for section, option in (("database", "connection"), ("DEFAULT", "transport_url")))


def password(url):
    """Return the password in a URL of the user cinder, or None."""
    found = re.match(r"[\w+]+://cinder:([^@]*)@", url)
    return found[1] if found else None


def login_password():
    """Return the first password of the administrator, or None if its file does not exist."""
    try:
        with open(LOGIN) as file:
            return re.search(r"OS_PASSWORD=(\S+)", file.read())[1]
    except (FileNotFoundError, PermissionError):
        return None
