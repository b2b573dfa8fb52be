"""cinder-lite-manage export and restore: saves the database and the configuration to a file for any supported database.

The file is gzip of JSON lines: a header with format, revision and configuration, a line per row, and the number of
rows at the end. It is read to its end once, where gzip keeps the checksum, before its contents are used.
"""

import argparse
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
from cinder_lite.manage import OK, Commands, Failed, table
from cinder_lite.manage.database import expect_schema
from cinder_lite.service.process import Process

FORMAT = "cinder-lite export 1"
HIDDEN = "<hidden>"
#: Bytes per read while the checksum is verified.
PIECE = 1024**2
#: Options that name further configuration files; the first file consists of secrets.
FILES = ("http_basic_auth_user_file", "http_basic_auth_roles_file", "resource_query_filters_file")
#: Parts of the names of options with secret values, whichever library reads them.
SECRETS = ("password", "secret", "token", "fixed_key", "connection", "transport_url")


def export(shared: Process, args: argparse.Namespace) -> int:
    """save the database and the configuration to a file"""
    found = migrate.current(shared.db)
    if found != migrate.HEAD:
        raise Failed(f"the database is at revision {found}, this release needs {migrate.HEAD}: export it with "
                     "the release that it belongs to")
    head = {"format": FORMAT, "revision": found, "at": db.now().isoformat(),
            "settings": _settings(shared.conf, args.with_secrets)}
    temporary = f"{args.file}.part"
    counts: dict[str, int] = {}
    with effective_user.as_invoker():
        if os.path.lexists(args.file) and not args.force:
            raise Failed(f"{args.file} already exists: choose another name, or replace it with --force")
        raw = open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    with raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", filename="") as file:
            _line(file, head)
            for name, row in portable.rows(shared.db):
                counts[name] = counts.get(name, 0) + 1
                _line(file, [name, row])
            _line(file, {"rows": sum(counts.values())})
        raw.flush()
        os.fsync(raw.fileno())
    with effective_user.as_invoker():
        os.rename(temporary, args.file)
    table(("Table", "Rows"), counts.items())
    contents = "which contains secrets" if args.with_secrets else "without passwords and keys"
    print(f"Wrote {args.file}, {contents}.")
    return OK


def _line(file, value):
    file.write(orjson.dumps(value) + b"\n")


def _settings(conf, with_secrets):
    """{file name: text} of the configuration files."""
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


def restore(shared: Process, args: argparse.Namespace) -> int:
    """restore an export to an empty database; with --settings, only extract its configuration files"""
    try:
        with _opened(args.file) as raw, gzip.open(raw) as file:
            while file.read(PIECE):
                pass
            file.seek(0)
            head = _head(args.file, file)
            if args.settings:
                with effective_user.as_invoker():
                    return _write_settings(args.settings, head["settings"])
            expect_schema(shared)
            with shared.db.write() as tx:
                if not portable.is_empty(tx):
                    raise Failed("the database is not empty: restore needs one that 'cinder-lite-manage db sync' has "
                                 "just created and that no service has used")
                counts = portable.restore(tx, _rows(args.file, file))
    except (gzip.BadGzipFile, zlib.error, EOFError, orjson.JSONDecodeError) as error:
        raise Failed(f"{args.file} is not a complete export: {error}") from error
    table(("Table", "Rows"), counts.items())
    print(f"Restored the state of {head['at']} UTC. Start the services, then run 'cinder-lite-manage doctor': it "
          "reports the changes on the backends since.")
    return OK


def _opened(path):
    with effective_user.as_invoker():
        return open(path, "rb")


def _head(path, file):
    head = orjson.loads(file.readline())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise Failed(f"{path} is not an export of cinder-lite, or of an unknown format")
    if not migrate.suffices(migrate.HEAD, head["revision"]):
        raise Failed(f"{path} is of revision {head['revision']}, this release supports {migrate.HEAD}: use the release "
                     "that created it, or a later one")
    return head


def _rows(path, file):
    """Yield the rows, then check their number. Raises Failed if rows are missing."""
    seen = 0
    for line in file:
        found = orjson.loads(line)
        if isinstance(found, dict):
            if found.get("rows") == seen:
                return
            break
        seen += 1
        yield found
    raise Failed(f"{path} is not a complete export: rows are missing")


def _write_settings(directory, settings):
    os.makedirs(directory, mode=0o750, exist_ok=True)
    for name, text in settings.items():
        path = os.path.join(directory, os.path.basename(name))
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
        except FileExistsError as error:
            raise Failed(f"{path} already exists; choose another directory") from error
        print(f"Wrote {path}" + (f"; replace each {HIDDEN} with its value." if HIDDEN in text else "."))
    return OK


COMMANDS: Commands = {
    ("export",): (export, (
        ("file", {"metavar": "FILE"}),
        ("--force", {"action": "store_true", "help": "replace an existing file"}),
        ("--with-secrets", {"action": "store_true", "help": "include the passwords and keys of the configuration"})),
        True),
    ("restore",): (restore, (
        ("file", {"metavar": "FILE"}),
        ("--settings", {"metavar": "DIRECTORY", "help": "only extract the configuration files to this directory"})),
        False),
}
