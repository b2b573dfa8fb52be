"""Keeps the pools between decisions, so that a decision reads in full only those that were measured again."""

import dataclasses
import typing

from cinder_lite import db
from cinder_lite.db import pools
from cinder_lite.jobs.pool_capacity import Pool, as_pool


class PoolTable:
    """The pools as of the last decision. A Pool that has not changed is the same object as before."""

    def __init__(self) -> None:
        #: (service, name of the pool or None) -> what may have changed of its row, and the Pool.
        self._kept: dict[tuple[str, str | None], tuple[tuple, Pool]] = {}

    def read(self, tx: db.Transaction, down_time: float) -> list[Pool]:
        """Every pool as it is now, and one Pool for a service without pools; `down_time` is in seconds."""
        found, unknown = dict[typing.Any, typing.Any](), dict[typing.Any, typing.Any]()
        for row in pools.changing(tx, down_time):
            key, now = row[:2], row[2:]
            entry = found[key] = self._kept.get(key)
            if entry is None or entry[0][0] != now[0]:
                unknown[key] = now
            elif entry[0] != now:
                found[key] = now, _changed(entry[1], now)
        for row in pools.with_services(tx, {host for host, _ in unknown}) if unknown else ():
            key = row.service_host, row.name
            if key in unknown:
                found[key] = unknown[key], as_pool(row, down_time)
        # A pool that was deleted meanwhile is left out.
        self._kept = kept = {key: entry for key, entry in found.items() if entry} if unknown else found
        return [pool for _, pool in kept.values()]


def _changed(pool, now):
    # Without a number the pool has a word, or there is no pool.
    values = {name: value for name, value in zip(pools.CHANGING, now[1:], strict=True) if value is not None}
    return dataclasses.replace(pool, **values)
