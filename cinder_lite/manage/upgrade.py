"""cinder-lite-manage status upgrade-check: checks whether services of this release can run beside the running ones."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands

from cinder_lite import db
from cinder_lite.db import audit, migrate, services
from cinder_lite.jobs import lifecycle
from cinder_lite.manage import Commands, sentence, settings
from cinder_lite.service import process


def check(shared: process.Process, _args: argparse.Namespace) -> int:
    """check whether this release can run beside the running services; exit status 1 for warnings, 2 for failures"""
    return int(Checks(shared).check())


class Checks(UpgradeCommands):
    """The checks as oslo.upgradecheck runs them: in the order of `_upgrade_checks`, each with one result."""

    def __init__(self, shared: process.Process) -> None:
        self._shared = shared

    def database(self) -> Result:
        found = migrate.current(self._shared.db)
        if not migrate.suffices(found):
            return Result(Code.WARNING, f"The database is at revision {found or 'none'}, this release needs "
                          f"{migrate.HEAD}: run 'cinder-lite-manage db sync' before its services start; the running "
                          "services continue to work.")
        if found != migrate.HEAD:
            return Result(Code.WARNING, f"The database is at revision {found}, of a later release than this one.")
        return Result(Code.SUCCESS)

    def messages(self) -> Result:
        """Compare the message versions that the running services support; another major version is not compatible."""
        from cinder_lite.volume.rpcapi import VolumeRPC

        if migrate.current(self._shared.db) is None:
            return Result(Code.SUCCESS)
        with self._shared.db.read() as tx:
            rows = [row for row in services.page(tx) if row.rpc_version
                    and services.is_up(row, self._shared.conf.service_down_time)]
        found = []
        for row in rows:
            theirs, ours = _numbers(row.rpc_version), _numbers(VolumeRPC.version)
            where = f"{row.binary} on {row.host} supports messages {row.rpc_version}, this release {VolumeRPC.version}"
            if theirs[0] != ours[0]:
                found.append((Code.FAILURE, f"{where}: upgrade to an intermediate release first"))
            elif theirs != ours:
                found.append((Code.WARNING, f"{where}: requests that only the later release supports are refused until "
                              "both are of one release"))
        return _result(found)

    def jobs(self) -> Result:
        if migrate.current(self._shared.db) is None:
            return Result(Code.SUCCESS)
        with self._shared.db.read() as tx:
            return _result((Code.FAILURE, f"job {job.id} ({job.action} {job.kind}) is of a later release: let a "
                            "service of that release complete it first")
                           for job in audit.live_jobs(tx) if not _runs_here(job))

    def settings(self) -> Result:
        return _result((Code.WARNING, f"{found.subject}: {found.problem}") for found in settings.findings(
            self._shared, (settings.deprecated, settings.values)))

    _upgrade_checks = (("database", database), ("messages", messages), ("jobs", jobs), ("settings", settings))


def _result(found: Iterable[tuple[Code, str]]) -> Result:
    """The worst of what a check has found, with all of the texts."""
    found = sorted(found, reverse=True)
    return Result(found[0][0], " ".join(sentence(text) for _, text in found)) if found else Result(Code.SUCCESS)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _runs_here(job: db.Row) -> bool:
    engine = lifecycle.KINDS.get(job.kind)
    return engine is not None and (not engine.actions or job.action in engine.actions)


COMMANDS: Commands = {("status", "upgrade-check"): (check, (), False)}
