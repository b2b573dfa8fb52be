"""The strategy http_basic: users and passwords from one file, projects and roles from another, without Keystone.

The passwords are in the format of Apache's htpasswd with bcrypt (`htpasswd -nbB NAME PASSWORD`), the roles in lines
`NAME:PROJECT:ROLE,ROLE`. Both files are read again when they change. A user with the role `service` is treated as a
service such as Nova.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import bcrypt
import orjson
import webob.exc
from oslo_config import cfg
from oslo_middleware import basic_auth

from cinder_lite import concurrency, context, errors
from cinder_lite.api import proxies
from cinder_lite.api.auth.logins import Logins
from cinder_lite.api.fault import Response
from cinder_lite.concurrency import randomness

REALM = ("WWW-Authenticate", 'Basic realm="Block Storage", charset="UTF-8"')
#: role -> the roles that it implies, as in Keystone.
IMPLIED = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
#: The bytes of a password that bcrypt uses; longer ones it truncates or refuses.
MAX_PASSWORD = 72
#: The number of verified passwords that are cached, because bcrypt is slow on purpose.
MAX_VERIFIED = 1000


class InvalidFile(Exception):
    """A file cannot be read or parsed; the text names the line and the reason."""


class _File:
    """A file of lines `name:rest`, read again when it changes: {name: parsed line}."""

    def __init__(self, path: str, parse: Callable[[str], Any]) -> None:
        self.path, self._parse = path, parse
        self._stamp: tuple[int, int, int] | None = None
        self._entries: dict[str, Any] = {}

    def entries(self) -> dict[str, Any]:
        try:
            found = os.stat(self.path)
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                with open(self.path) as file:
                    self._entries = dict(self._lines(file))
                self._stamp = stamp
        except OSError as error:
            raise InvalidFile(f"{self.path} cannot be read: {error.strerror}") from error
        return self._entries

    def _lines(self, file: Iterable[str]) -> Iterator[tuple[str, Any]]:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            try:
                yield line.split(":", 1)[0], self._parse(line)
            except (ValueError, webob.exc.HTTPException) as error:
                raise InvalidFile(f"{self.path} is wrong in line {number}: {error}") from error


def _assignment(line: str) -> tuple[str, list[str]]:
    """(project, roles) of a line NAME:PROJECT:ROLE,ROLE."""
    parts = [part.strip() for part in line.split(":")]
    if len(parts) != 3 or not all(parts):
        raise ValueError("it should be NAME:PROJECT:ROLE,ROLE")
    roles = [role.strip() for role in parts[2].split(",") if role.strip()]
    return parts[1], [*dict.fromkeys(name for role in roles for name in (role, *IMPLIED.get(role, ())))]


def _password_hash(line: str) -> bytes:
    return basic_auth.parse_entry(line)[1]


class HTTPBasic:
    """Checks name and password of each request."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.passwords = _File(conf.http_basic_auth_user_file, _password_hash)
        self.roles = _File(conf.http_basic_auth_roles_file, _assignment)
        self._logins = Logins(conf.osapi_volume_threads)
        self._key = randomness.token_bytes(32)
        self._verified: dict[str, bytes] = {}
        self._decoys: dict[int, bytes] = {}

    def __call__(self, http: webob.Request, request_id: str, global_id: str | None) -> context.Context | Response:
        """A Context, or (401, headers, body)."""
        try:
            name, password = basic_auth.parse_token(basic_auth.parse_header(http.environ))
        except webob.exc.HTTPException:
            return _refused("Name and password are needed, by HTTP basic authentication.")
        try:
            passwords, assignment = self.passwords.entries(), self.roles.entries().get(name)
        except InvalidFile as error:
            raise errors.Unavailable(f"Logins are not possible: {error}.",
                                     public="Logins are not possible at the moment.") from error
        if not self._verify(name, password, passwords, http.environ):
            return _refused("Name or password is wrong.")
        if assignment is None:
            raise errors.Forbidden(f"The user {name} has no project here.")
        project, roles = assignment
        return context.Context(user_id=name, project_id=project, roles=roles, request_id=request_id,
                               service_roles=[role for role in roles if role == "service"], global_request_id=global_id)

    def _verify(self, name: str, password: bytes, passwords: Mapping[str, bytes], environ: Mapping[str, Any]) -> bool:
        """Whether the password is right; a right one is cached as a keyed digest.

        It takes as long for an unknown name, so that the time does not reveal which names exist.
        """
        stored = passwords.get(name)
        against = stored or self._decoy(name, passwords)
        if len(password) > MAX_PASSWORD or b"\0" in password:
            password = b"too long"
            stored = None
        digest = hmac.digest(self._key, against + b":" + password, hashlib.sha256)
        if stored is not None and hmac.compare_digest(self._verified.get(name, b""), digest):
            return True
        if not self._logins.check(name, proxies.client_address(environ, self.conf), lambda: concurrency.in_thread(
                bcrypt.checkpw, password, against) and stored is not None):
            return False
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[name] = digest
        return True

    def _decoy(self, name: str, passwords: Mapping[str, bytes]) -> bytes:
        """The hash to compare an unknown name's password with; it has the cost of one of the stored hashes."""
        costs = sorted({stored.split(b"$")[2] for stored in passwords.values()}) or [b"12"]
        drawn = hmac.digest(self._key, name.encode(errors="surrogateescape"), hashlib.sha256)[0]
        cost = int(costs[drawn % len(costs)])
        if cost not in self._decoys:
            self._decoys[cost] = bcrypt.hashpw(randomness.token_bytes(16), bcrypt.gensalt(cost))
        return self._decoys[cost]


def _refused(text: str) -> Response:
    body = orjson.dumps({"error": {"code": 401, "title": "Unauthorized", "message": text}})
    return 401, [REALM, ("Content-Type", "application/json")], body


def configuration_error(conf: cfg.ConfigOpts) -> str | None:
    """Why the files cannot be used, as one sentence, or None."""
    strategy = HTTPBasic(conf)
    try:
        passwords, roles = strategy.passwords.entries(), strategy.roles.entries()
    except InvalidFile as error:
        return f"auth_strategy is http_basic, but {error}"
    if not passwords.keys() & roles.keys():
        return (f"auth_strategy is http_basic, but no user is both in {strategy.passwords.path} and in "
                f"{strategy.roles.path}")
    return None
