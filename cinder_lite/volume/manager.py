"""Answers the calls of the volume service, and wakes the worker of a backend's jobs."""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, states
from cinder_lite.jobs.worker import Worker
from cinder_lite.volume import capabilities, cluster_jobs
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.exports import Exports
from cinder_lite.volume.local_content import LocalContent
from cinder_lite.volume.rpcapi import VolumeRPC


class VolumeManager(VolumeRPC):
    """The calls and the worker of one backend. The backends of a process are independent of each other."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, owner: str, exports: Exports,
                 owners: Mapping[str, Any]) -> None:
        """`owner` names the process in jobs. `owners` are objects with handlers: {name in states.Action.work: object}.
        """
        self.backend, self.exports, self.manage = backend, exports, owners["manage"]
        self.content = LocalContent(database, conf, backend, exports)
        self.worker = Worker(database, conf, states.VOLUME, backend.name, owner,
                             cluster_jobs.bind(database, backend, owners), conf.volume_max_operations)

    def run_job(self, ctx: context.Context, job_id: str) -> None:
        self.worker.wake(job_id)

    def connect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                connection_id: str | None = None, generation: int | None = None) -> dict:
        return self.exports.connect(volume_id, attachment_id, connector, connection_id, generation)

    def disconnect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                   marked: bool = False) -> None:
        self.exports.disconnect(volume_id, attachment_id, connector, marked)

    def open_local(self, ctx: context.Context, kind: str, id: str, host: str, copy_id: str | None = None) -> dict:
        return self.content.open(kind, id, host, copy_id)

    def close_local(self, ctx: context.Context, volume_id: str, copy_id: str) -> None:
        self.content.close(volume_id, copy_id)

    def check_reference(self, ctx: context.Context, reference: dict) -> None:
        self.manage.check_reference(reference)

    def manageable(self, ctx: context.Context, kind: str) -> list[dict]:
        return self.manage.manageable(kind)

    def capabilities(self, ctx: context.Context) -> dict:
        return capabilities.describe(self.backend)
