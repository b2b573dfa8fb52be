"""An installation without running services: configuration, database, file backend, posix store, access to rows."""

import contextlib
import datetime
import os
import random
import textwrap
import threading
import time
import uuid

import sqlalchemy as sa

from cinder_lite import conf as configuration
from cinder_lite import context, db, states
from cinder_lite.db import audit, job_queries, metadata_index, migrate, quotas, schema
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES

HOST, BACKEND = "here", "here@file-1"
POOL = f"{BACKEND}#file-1"
PROJECT = "blue"
LONG_AGO = datetime.timedelta(hours=1)

#: Columns of a row that a test does not care about.
PLAIN = {
    "volumes": {"project_id": PROJECT, "user_id": "ann", "size": 1, "status": states.AVAILABLE, "host": POOL,
                "metadata": {}, "admin_metadata": {}, "image_metadata": {}, "facts": {}, "export": {},
                "launched_at": datetime.datetime(2026, 1, 1)},
    "snapshots": {"project_id": PROJECT, "user_id": "ann", "size": 1, "status": states.AVAILABLE, "metadata": {},
                  "facts": {}},
    "backups": {"project_id": PROJECT, "user_id": "ann", "size": 1, "status": states.AVAILABLE, "host": HOST,
                "metadata": {}, "volume_record": {}, "facts": {}},
    "attachments": {"project_id": PROJECT, "attach_status": states.ATTACHED, "connector": {}, "connection_info": {}},
    "jobs": {"project_id": PROJECT, "args": {}, "stage": "volume", "host": BACKEND, "status": states.QUEUED},
    "services": {"availability_zone": "nova"},
    "pools": {"service_host": BACKEND, "capabilities": {}},
}


class Installation:
    """`conf_file` is its configuration; `add` and `set` write rows directly."""

    def __init__(self, directory, connection=None):
        self.state = str(directory)
        self.conf_file = os.path.join(self.state, "cinder.conf")
        with open(self.conf_file, "w") as file:
            file.write(textwrap.dedent(f"""
                [DEFAULT]
                state_path = {self.state}
                host = {HOST}
                enabled_backends = file-1
                backup_posix_path = {self.state}/backups
                [database]
                connection = {connection or f'sqlite:///{self.state}/cinder.sqlite'}
                [file-1]
                volume_driver = file
                file_volume_dir = {self.state}/volumes
                """))
        os.mkdir(os.path.join(self.state, "volumes"))
        self.conf = configuration.load([], files=[self.conf_file])
        self.db = process.Process(self.conf, INTERFACES).db

    def sync(self):
        migrate.sync(self.db)
        for binary, host in (("cinder-volume", BACKEND), ("cinder-backup", HOST), ("cinder-scheduler", HOST)):
            self.add("services", uuid=str(uuid.uuid4()), binary=binary, host=host, seen_at=db.now())
        self.add("pools", name=POOL)
        return self

    def add(self, table, **values):
        """Insert a row; returns its id."""
        table = schema.METADATA.tables[table]
        row = {**PLAIN.get(table.name, {}), **values}
        if "id" in table.c and table.name != "services":
            row.setdefault("id", str(uuid.uuid4()))
        if "created_at" in table.c:
            row.setdefault("created_at", db.now() - LONG_AGO)
        with self.db.write() as tx:
            tx.execute(sa.insert(table).values(**row))
        return row.get("id")

    def set(self, table, id, **values):
        table = schema.METADATA.tables[table]
        with self.db.write() as tx:
            tx.execute(sa.update(table).where(table.c.id == id).values(**values))

    def delete(self, table, id):
        table = schema.METADATA.tables[table]
        with self.db.write() as tx:
            tx.execute(sa.delete(table).where(table.c.id == id))

    def rows(self, table, **values):
        table = schema.METADATA.tables[table]
        with self.db.read() as tx:
            return tx.execute(sa.select(table).where(*(table.c[key] == value for key, value in values.items()))).all()

    def row(self, table, id):
        rows = self.rows(table, id=id)
        return rows[0] if rows else None

    @contextlib.contextmanager
    def churning(self, count=3):
        """Create and delete volumes meanwhile, in complete transactions of the service's engines."""
        stop, errors = threading.Event(), []
        running = [threading.Thread(target=self._churn, args=(seed, stop, errors)) for seed in range(count)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in running:
                thread.join()
        assert errors == []

    def _churn(self, seed, stop, errors):
        rng, mine = random.Random(seed), []
        try:
            while not stop.is_set():
                time.sleep(0)  # a green thread gives way nowhere else
                if mine and rng.random() < 0.5:
                    self._delete(*mine.pop())
                else:
                    size = rng.randrange(1, 9)
                    mine.append((self._create(size), size))
        except Exception as error:
            errors.append(error)
            raise

    @db.retried
    def _create(self, size):
        id, ctx = str(uuid.uuid4()), context.Context(user_id="ann", project_id=PROJECT, overwrite=False)
        row = {"id": id, "project_id": PROJECT, "user_id": "ann", "size": size, "metadata": {}, "admin_metadata": {},
               "image_metadata": {}, "facts": {}, "export": {}}
        with self.db.write() as tx:
            VOLUME.insert(tx, ctx, "create", row)
            quotas.claim(tx, quotas.Change(PROJECT, {"volumes": 1, "gigabytes": size}), quotas.Allowance({}, {}))
        self._end(id, "create", None)
        return id

    def _delete(self, id, size):
        ctx = context.Context(user_id="ann", project_id=PROJECT, overwrite=False)
        with self.db.write() as tx:
            VOLUME.begin(tx, ctx, id, "delete")
        self._end(id, "delete", quotas.Change(PROJECT, {"volumes": 1, "gigabytes": size}))

    @db.retried
    def _end(self, id, action, change):
        with self.db.write() as tx:
            for job in job_queries.of_resource(tx, id):
                if job.action == action:
                    VOLUME.finish(tx, job)
            if change is not None:
                quotas.release(tx, change)

    def count(self):
        """Set every sum to that of the rows."""
        projects = {row.project_id for table in ("volumes", "snapshots", "backups") for row in self.rows(table)}
        with self.db.write() as tx:
            for project in projects:
                audit.rewrite_usage(tx, True, project)
            audit.rewrite_pool(tx, POOL)

    def volume(self, **values):
        """Add a volume with its file, unless it is being created."""
        id = self.add("volumes", **values)
        if values.get("status") != states.CREATING:
            self.put(f"volume-{id}")
        return id

    def label(self, kind, id):
        """Return the rows of the metadata index of a volume or snapshot."""
        with self.db.write() as tx:
            metadata_index.change(tx, kind, id, {}, self.row(f"{kind}s", id).metadata)

    def snapshot(self, volume_id, **values):
        id = self.add("snapshots", volume_id=volume_id, **values)
        if values.get("status") != states.CREATING:
            self.put(f"snapshot-{id}")
        return id

    def backup(self, volume_id, **values):
        """A backup with its manifest, when it is available."""
        id = str(uuid.uuid4())
        container = f"{id[:2]}/{id[2:4]}/{id}"
        self.add("backups", id=id, volume_id=volume_id, container=container, **values)
        if values.get("status", states.AVAILABLE) == states.AVAILABLE:
            self.store(container, id, "manifest")
        return id

    def put(self, name):
        with open(self.path(name), "wb"):
            pass

    def path(self, name):
        return os.path.join(self.state, "volumes", name)

    def store(self, container, id, name):
        path = os.path.join(self.state, "backups", container, f"backup_{id}", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
        return path
