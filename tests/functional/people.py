"""Users with passwords: members and readers of two projects, and an administrator."""

import bcrypt

from tests.functional.client import Client

#: User -> (project, roles).
USERS = {"ann": ("blue", "member"), "rita": ("blue", "reader"), "bob": ("green", "member"), "root": ("red", "admin")}


def password(name):
    return f"secret-{name}"


def options(directory):
    """Return the settings of the users; their files are written to the directory."""
    passwords, roles = directory / "htpasswd", directory / "htroles"
    passwords.write_text("".join(
        f"{name}:{bcrypt.hashpw(password(name).encode(), bcrypt.gensalt(4)).decode()}\n" for name in USERS))
    roles.write_text("".join(f"{name}:{project}:{given}\n" for name, (project, given) in USERS.items()))
    return (f"auth_strategy = http_basic\nhttp_basic_auth_user_file = {passwords}\n"
            f"http_basic_auth_roles_file = {roles}\n")


def client(service, name):
    """A client that speaks as that user."""
    made = Client(service.url, project=USERS[name][0])
    made._session.auth = (name, password(name))
    return made
