"""cinder-lite-manage export and restore: the control plane itself, in a file that any of the databases takes.

The file is gzip of JSON lines: a head with format, revision and settings, a line a row, and the number of rows at the end.
It is read once to its end, where gzip has the checksum, before anything in it is believed.
"""

import gzip
import os
import zlib

import orjson

from cinder_lite import conf as configuration
from cinder_lite import db
from cinder_lite.conf import unread
from cinder_lite.db import export as portable
from cinder_lite.db import migrate
from cinder_lite.host import effective_user
from cinder_lite.manage import OK, Failed, table
from cinder_lite.manage.database import expect_schema

FORMAT = "cinder-lite export 1"
HIDDEN = "<hidden>"
#: Bytes that are read at once to find the checksum.
PIECE = 1024**2
#: Options of files that belong to the settings; the first has secrets alone.
FILES = ("http_basic_auth_user_file", "http_basic_auth_roles_file", "resource_query_filters_file")
#: Parts of the names of options whose values nobody else should see, whichever library reads them.
SECRETS = ("password", "secret", "token", "fixed_key", "connection", "transport_url")


def export(shared, args):
    """write all that the database knows, and the settings, to a file"""
    found = migrate.current(shared.db)
    if found != migrate.HEAD:
        raise Failed(f"the database is at revision {found}, of which this release does not know all: export it with the "
                     "release that it is of")
    head = {"format": FORMAT, "revision": found, "at": db.now().isoformat(),
            "settings": _settings(shared.conf, args.with_secrets)}
    counts, aside = {}, f"{args.file}.part"
    with effective_user.who_started():
        if os.path.lexists(args.file) and not args.force:
            raise Failed(f"{args.file} is there already: name another file, or replace it by --force")
        raw = open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    with raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", filename="") as file:
            _line(file, head)
            for name, row in portable.rows(shared.db):
                counts[name] = counts.get(name, 0) + 1
                _line(file, [name, row])
            _line(file, {"rows": sum(counts.values())})
        raw.flush()
        os.fsync(raw.fileno())
    with effective_user.who_started():
        os.rename(aside, args.file)
    table(("Table", "Rows"), counts.items())
    print(f"Wrote {args.file}" + (", which contains secrets." if args.with_secrets else ", without passwords and keys."))
    return OK


def _line(file, what):
    file.write(orjson.dumps(what) + b"\n")


def _settings(conf, with_secrets):
    """{name of a file: its text}."""
    secret = {option.dest for _, options in configuration.list_opts() for option in options if option.secret}
    found = {}
    for path in [*unread.files(conf), *(conf[option] for option in FILES[not with_secrets:] if conf[option])]:
        if os.path.exists(path):
            with open(path) as file:
                lines = file.read().splitlines()
            found[os.path.basename(path)] = "\n".join(
                line if with_secrets else _hidden(line, secret) for line in (*lines, ""))
    return found


def _hidden(line, secret):
    name, equals, value = line.partition("=")
    plain = name.strip(" #").replace("-", "_")
    if equals and value.strip() and (plain in secret or any(part in plain for part in SECRETS)):
        return f"{name.rstrip()} = {HIDDEN}"
    return line


def restore(shared, args):
    """fill an empty database from a file that export wrote; with --settings only write its settings to a directory"""
    try:
        with _opened(args.file) as raw, gzip.open(raw) as file:
            while file.read(PIECE):
                pass
            file.seek(0)
            head = _head(args.file, file)
            if args.settings:
                with effective_user.who_started():
                    return _write_settings(args.settings, head["settings"])
            expect_schema(shared)
            with shared.db.write() as tx:
                if not portable.is_empty(tx):
                    raise Failed("the database is not empty: restore fills one that 'cinder-lite-manage db sync' has just "
                                 "made, before any service has used it")
                counts = portable.fill(tx, _rows(args.file, file))
    except (gzip.BadGzipFile, zlib.error, EOFError, orjson.JSONDecodeError) as error:
        raise Failed(f"{args.file} is not a whole export: {error}") from error
    table(("Table", "Rows"), counts.items())
    print(f"Restored what was there at {head['at']} UTC. Start the services, then run 'cinder-lite-manage doctor': it tells "
          "what has changed on the backends since.")
    return OK


def _opened(path):
    with effective_user.who_started():
        return open(path, "rb")


def _head(path, file):
    head = orjson.loads(file.readline())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise Failed(f"{path} is not an export of cinder-lite that this release knows")
    if not migrate.suffices(migrate.HEAD, head["revision"]):
        raise Failed(f"{path} is of revision {head['revision']}, this release knows {migrate.HEAD}: use the release that "
                     "made it, or a later one")
    return head


def _rows(path, file):
    """The rows, and after the last one whether they are all."""
    seen = 0
    for line in file:
        found = orjson.loads(line)
        if isinstance(found, dict):
            if found.get("rows") == seen:
                return
            break
        seen += 1
        yield found
    raise Failed(f"{path} is not a whole export: rows are missing")


def _write_settings(directory, settings):
    os.makedirs(directory, mode=0o750, exist_ok=True)
    for name, text in settings.items():
        path = os.path.join(directory, os.path.basename(name))
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        except FileExistsError as error:
            raise Failed(f"{path} is there already; name another directory") from error
        print(f"Wrote {path}" + (f"; fill in what is {HIDDEN}." if HIDDEN in text else "."))
    return OK


COMMANDS = {
    ("export",): (export, (
        ("file", {"metavar": "FILE"}),
        ("--force", {"action": "store_true", "help": "replace a file that is there"}),
        ("--with-secrets", {"action": "store_true", "help": "also the passwords and keys in the settings"})), True),
    ("restore",): (restore, (
        ("file", {"metavar": "FILE"}),
        ("--settings", {"metavar": "DIRECTORY", "help": "only write the settings that are in the file"})), False),
}
