"""A database with many volumes in it, and the application asked for pages of them without a network between."""

import datetime
import json
import random
import time
import urllib.parse
import uuid

import sqlalchemy as sa

from cinder_lite import conf as configuration
from cinder_lite import process
from cinder_lite.api import service
from cinder_lite.api.app import Application
from cinder_lite.db import migrate, schema
from tests.services.daemons import as_text

PROJECT, OTHER = "a" * 32, "b" * 32
BATCH = 2000
#: A hundredth of the volumes has what is filtered by.
SHARE = 100
#: What is asked for, by name; {marker} is the id of a volume a tenth from the end, {name} a volume's name.
REQUESTS = {
    "first page": "/volumes/detail?limit=50",
    "a page deep in": "/volumes/detail?limit=50&marker={marker}",
    "by status": "/volumes/detail?limit=50&status=error",
    "by name": "/volumes/detail?limit=50&name={name}",
    "by metadata": "/volumes/detail?limit=50&metadata=" + urllib.parse.quote("{'tier':'gold'}").replace("{", "{{"),
    "sorted by size": "/volumes/detail?limit=50&sort=size:desc",
    "sorted by name": "/volumes/detail?limit=50&sort=name:asc",
    "all projects": "/volumes/detail?limit=50&all_tenants=1",
    "all projects, deep": "/volumes/detail?limit=50&all_tenants=1&marker={marker}",
    "names only": "/volumes?limit=50",
}


class Crowd:
    """`request(path)` answers as the API does; `add` brings the number of volumes to so many."""

    def __init__(self, url, directory):
        self.conf = configuration.load(["--config-file", _file(url, directory)], files=[])
        shared = process.Process(self.conf)
        self.db, self.count, self.ids = shared.db, 0, []
        migrate.sync(self.db)
        self.application = Application(self.conf, self.db, service.domains(shared), lambda: (200, [], b""))
        self._random = random.Random(7)

    def add(self, count):
        """Volumes of two projects, a second apart, nine tenths of them in PROJECT; a hundredth of them special."""
        with self.db.read() as tx:
            type_id = tx.execute(sa.select(schema.volume_types.c.id)).scalar()
        while self.count < count:
            numbers = range(self.count, min(count, self.count + BATCH))
            rows = [self._row(number, type_id) for number in numbers]
            labels = [{"resource_id": row["id"], "key": key, "value": value}
                      for row in rows for key, value in row["metadata"].items()]
            with self.db.write() as tx:
                tx.execute(sa.insert(schema.volumes), rows)
                tx.execute(sa.insert(schema.labels), labels)
            self.ids += [row["id"] for row in rows if row["project_id"] == PROJECT]
            self.count += len(rows)
        with self.db.engine.connect() as connection:
            analyze = "ANALYZE TABLE volumes, labels" if connection.dialect.name != "postgresql" else "ANALYZE"
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(analyze)

    def _row(self, number, type_id):
        special = number % SHARE == 0
        born = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number)
        return {"id": str(uuid.UUID(int=self._random.getrandbits(128))), "user_id": "u", "name": f"vol-{number:07d}",
                "project_id": OTHER if number % 10 == 9 else PROJECT, "size": 1 + number % 997,
                "status": "error" if special else "available", "host": "h@b#p", "volume_type_id": type_id,
                "metadata": {"tier": "gold" if special else "iron", "n": str(number)}, "admin_metadata": {},
                "image_metadata": {}, "facts": {}, "export": {}, "created_at": born, "launched_at": born}

    def path(self, name):
        """The path of one of REQUESTS."""
        return REQUESTS[name].format(marker=self.ids[len(self.ids) // 10], name=f"vol-{self.count // 20 * 10:07d}")

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
