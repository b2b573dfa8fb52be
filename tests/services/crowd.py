"""A database with many volumes, and requests to the application for pages of them, without a network."""

import datetime
import json
import random
import time
import urllib.parse
import uuid

import sqlalchemy as sa

from cinder_lite import conf as configuration
from cinder_lite import context
from cinder_lite.api.app import Application
from cinder_lite.db import metadata_index, migrate, schema
from cinder_lite.service import api, process
from cinder_lite.service.interfaces import INTERFACES
from tests.services.daemons import as_text

PROJECT, OTHER = "a" * 32, "b" * 32
BATCH = 2000
#: Every so many-th row has what is filtered by.
SHARE = 4
KINDS = ("volumes", "snapshots", "backups", "attachments")
GOLD = urllib.parse.quote("{'tier':'gold'}")

#: What is asked of a list, by name; {marker} is the id of a row in the middle, {name} the name of one.
QUERIES = {
    "first page": "", "a page deep in": "&marker={marker}", "by status": "&status=error",
    "by status, deep": "&status=error&marker={marker}", "by name": "&name={name}",
    "by metadata": f"&metadata={GOLD.replace('{', '{{').replace('}', '}}')}",
    "by metadata, deep": f"&metadata={GOLD.replace('{', '{{').replace('}', '}}')}" "&marker={marker}",
    "sorted by size": "&sort=size:desc", "sorted by size, deep": "&sort=size:desc&marker={marker}",
    "sorted by name": "&sort=name:asc", "sorted by name, deep": "&sort=name:desc&marker={marker}",
}
_LACKING = {"backups": ("metadata",), "attachments": ("metadata", "name", "size")}


def _requests():
    for kind in KINDS:
        for name, query in QUERIES.items():
            if not any(word in name for word in _LACKING.get(kind, ())):
                query = query.replace("status=error", "status=reserved") if kind == "attachments" else query
                yield f"{kind}, {name}", f"/{kind}/detail?limit=50{query}"
                yield f"{kind} of all, {name}", f"/{kind}/detail?limit=50&all_tenants=1{query}"


REQUESTS = {**dict(_requests()), "names only": "/volumes?limit=50"}


class Crowd:
    """`request(path)` answers as the API does; `add` brings the number of rows of each kind to so many."""

    def __init__(self, url, directory):
        self.conf = configuration.load(["--config-file", _file(url, directory)], files=[])
        shared = process.Process(self.conf, INTERFACES)
        self.db, self.roles = shared.db, ["admin"]
        self.counts, self.ids = dict.fromkeys(KINDS, 0), {kind: [] for kind in KINDS}
        migrate.sync(self.db)
        self.application = Application(self.conf, self.db, api.domains(shared), lambda: (200, [], b""))
        self.application.authenticate = self._requester
        self._random = random.Random(7)

    def _requester(self, _http, request_id, _global_id):
        return context.Context(user_id="u", project_id=PROJECT, roles=self.roles, request_id=request_id,
                               overwrite=False)

    def add(self, kind, count):
        """Rows of two projects, a second apart, nine tenths of them in PROJECT; every SHARE-th special."""
        table = schema.METADATA.tables[kind]
        with self.db.read() as tx:
            type_id = tx.execute(sa.select(schema.volume_types.c.id)).scalar()
        while self.counts[kind] < count:
            numbers = range(self.counts[kind], min(count, self.counts[kind] + BATCH))
            rows = [self._row(kind, number, type_id) for number in numbers]
            with self.db.write() as tx:
                self._insert(tx, table, rows)
                if kind in ("volumes", "snapshots"):
                    self._insert(tx, schema.metadata_index, metadata_index.rows(kind[:-1], rows))
            # All that markers are taken from: special ones of PROJECT.
            self.ids[kind] += [row["id"] for number, row in zip(numbers, rows, strict=True)
                               if row["project_id"] == PROJECT and number % SHARE == 0]
            self.counts[kind] += len(rows)
        with self.db.engine.connect() as connection:
            analyze = f"ANALYZE TABLE {kind}, labels" if self.db.dialect != "postgresql" else "ANALYZE"
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(analyze)

    def _insert(self, tx, table, rows):
        if self.db.dialect != "postgresql":
            tx.execute(sa.insert(table), rows)
            return
        with tx.connection.dbapi_connection.cursor() as cursor, cursor.copy(
                f"COPY {table.name} ({', '.join(rows[0])}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([json.dumps(value) if isinstance(value, dict) else value for value in row.values()])

    def _row(self, kind, number, type_id):
        special = number % SHARE == 0
        born = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number)
        row = {"id": self._id(), "project_id": OTHER if number % 10 == 9 else PROJECT, "created_at": born}
        if kind == "attachments":
            return {**row, "volume_id": self._id(), "attach_status": "reserved" if special else "attached",
                    "connector": {}, "connection_info": {}}
        row |= {"user_id": "u", "name": f"vol-{number:07d}", "size": 1 + number % 997, "facts": {},
                "status": "error" if special else "available",
                "metadata": {"tier": "gold" if special else "iron", "n": str(number)}}
        if kind == "backups":
            return {**row, "volume_id": self._id(), "volume_record": {}}
        if kind == "snapshots":
            return {**row, "volume_id": self._id(), "volume_type_id": type_id}
        return {**row, "host": "h@b#p", "volume_type_id": type_id, "admin_metadata": {}, "image_metadata": {},
                "export": {}, "launched_at": born}

    def _id(self):
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def path(self, name):
        """The path of one of REQUESTS."""
        kind = name.split()[0].rstrip(",") if name != "names only" else "volumes"
        marker = self.ids[kind][len(self.ids[kind]) // 2]
        return REQUESTS[name].format(marker=marker, name=f"vol-{self.counts[kind] // 20 * 10:07d}")

    def request(self, path):
        """(seconds, document) of a GET."""
        bare, _, query = path.partition("?")
        answered = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": f"/v3/{PROJECT}{bare}", "QUERY_STRING": query, "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8776", "HTTP_HOST": "127.0.0.1:8776", "wsgi.url_scheme": "http",
            "HTTP_X_AUTH_TOKEN": f"tester:{PROJECT}", "HTTP_OPENSTACK_API_VERSION": "volume 3.71"}
        began = time.perf_counter()
        body = b"".join(self.application(environ, lambda status, headers: answered.append(status)))
        took = time.perf_counter() - began
        assert answered[0].startswith("200"), body
        return took, json.loads(body)

    def close(self):
        self.db.dispose()


def _file(url, directory):
    path = f"{directory}/crowd.conf"
    with open(path, "w") as out:
        out.write(as_text({"DEFAULT": {"host": "crowd", "state_path": directory, "transport_url": "local://"},
                           "database": {"connection": url}}))
    return path
