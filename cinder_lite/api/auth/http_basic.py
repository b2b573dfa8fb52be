"""The strategy http_basic: names and passwords of a file, projects and roles of another, for use without Keystone.

The passwords are in the form of Apache's htpasswd with bcrypt (`htpasswd -nbB NAME PASSWORD`), the rights in lines
`NAME:PROJECT:ROLE,ROLE`. Both files are read again when they change. A user with the role `service` is believed to be
a service such as Nova.
"""

import hashlib
import hmac
import os
import secrets

import bcrypt
import orjson
import webob.exc
from oslo_middleware import basic_auth

from cinder_lite import concurrency, context, errors
from cinder_lite.api import proxies
from cinder_lite.api.logins import Logins

REALM = ("WWW-Authenticate", 'Basic realm="Block Storage", charset="UTF-8"')
#: role -> those that it holds too, as in Keystone.
IMPLIED = {"admin": ("manager", "member", "reader"), "manager": ("member", "reader"), "member": ("reader",)}
#: Passwords longer than that are cut off by bcrypt, or refused.
LONGEST = 72
#: How many right answers are remembered, because bcrypt is slow on purpose.
MOST = 1000


class BadFile(Exception):
    """A file that is not as it should be; the text says what is wrong."""


class _File:
    """A file of lines `name:rest`, read again when it changes: {name: parsed rest}."""

    def __init__(self, path, parse):
        self.path, self._parse, self._stamp, self._entries = path, parse, None, {}

    def entries(self):
        try:
            found = os.stat(self.path)
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                with open(self.path) as file:
                    self._entries = dict(self._lines(file))
                self._stamp = stamp
        except OSError as error:
            raise BadFile(f"{self.path} cannot be read: {error.strerror}") from error
        return self._entries

    def _lines(self, file):
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            try:
                yield line.split(":", 1)[0], self._parse(line)
            except (ValueError, webob.exc.HTTPException) as error:
                raise BadFile(f"{self.path} is wrong in line {number}: {error}") from error


def _rights(line):
    """(project, roles) of a line NAME:PROJECT:ROLE,ROLE."""
    parts = [part.strip() for part in line.split(":")]
    if len(parts) != 3 or not all(parts):
        raise ValueError("it should be NAME:PROJECT:ROLE,ROLE")
    roles = [role.strip() for role in parts[2].split(",") if role.strip()]
    return parts[1], [*dict.fromkeys(name for role in roles for name in (role, *IMPLIED.get(role, ())))]


def _password(line):
    return basic_auth.parse_entry(line)[1]


class HTTPBasic:
    """Checks name and password of each request."""

    def __init__(self, conf):
        self._passwords = _File(conf.http_basic_auth_user_file, _password)
        self._people = _File(conf.http_basic_auth_roles_file, _rights)
        self._key, self._known = secrets.token_bytes(32), {}
        self.conf, self._logins, self._nobody = conf, Logins(conf.osapi_volume_threads), {}

    def __call__(self, http, request_id, global_id):
        """A Context, or (401, headers, body)."""
        try:
            name, password = basic_auth.parse_token(basic_auth.parse_header(http.environ))
        except webob.exc.HTTPException:
            return _refused("Name and password are needed, by HTTP basic authentication.")
        try:
            passwords, rights = self._passwords.entries(), self._people.entries().get(name)
        except BadFile as error:
            raise errors.Unavailable(f"Nobody can be let in: {error}.", public="Nobody can be let in at the moment.") from error
        if not self._right(name, password, passwords, http.environ):
            return _refused("Name or password is wrong.")
        if rights is None:
            raise errors.Forbidden(f"The user {name} has no project here.")
        project, roles = rights
        return context.Context(user_id=name, project_id=project, roles=roles, request_id=request_id,
                               service_roles=[role for role in roles if role == "service"],
                               global_request_id=global_id)

    def _right(self, name, password, passwords, environ):
        """Whether it is the password; what was right is remembered as a keyed digest.

        It takes as long for a name that there is not, so that nobody learns which there are.
        """
        crypted = passwords.get(name)
        against = crypted or self._crypted_of_nobody(name, passwords)
        if len(password) > LONGEST or b"\0" in password:
            password = b"too long"
            crypted = None
        digest = hmac.digest(self._key, against + b":" + password, hashlib.sha256)
        if crypted is not None and hmac.compare_digest(self._known.get(name, b""), digest):
            return True
        if not self._logins.check(name, proxies.client_address(environ, self.conf), lambda: concurrency.in_thread(
                bcrypt.checkpw, password, against) and crypted is not None):
            return False
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[name] = digest
        return True


    def _crypted_of_nobody(self, name, passwords):
        """What a password for that name is compared with: it costs as much as that of one of those who are there."""
        costs = sorted({crypted.split(b"$")[2] for crypted in passwords.values()}) or [b"12"]
        drawn = hmac.digest(self._key, name.encode(errors="surrogateescape"), hashlib.sha256)[0]
        cost = int(costs[drawn % len(costs)])
        if cost not in self._nobody:
            self._nobody[cost] = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(cost))
        return self._nobody[cost]


def _refused(text):
    body = orjson.dumps({"error": {"code": 401, "title": "Unauthorized", "message": text}})
    return 401, [REALM, ("Content-Type", "application/json")], body


def unusable(conf):
    """What is wrong with the files, as one sentence, or None."""
    strategy = HTTPBasic(conf)
    try:
        passwords, people = strategy._passwords.entries(), strategy._people.entries()
    except BadFile as error:
        return f"auth_strategy is http_basic, but {error}"
    if not passwords.keys() & people.keys():
        return (f"auth_strategy is http_basic, but no user stands both in {strategy._passwords.path} and in "
                f"{strategy._people.path}")
    return None
