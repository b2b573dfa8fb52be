"""Keeps the pools between decisions, so that a decision reads in full only those that were measured again."""

import dataclasses
import typing

from cinder_lite import db
from cinder_lite.db import pools
from cinder_lite.jobs.pool_capacity import Pool, as_pool


class PoolTable:
    """The pools as of the last decision. A Pool that has not changed is the same object as before."""

    def __init__(self) -> None:
        #: {name of the pool, or of a service without pools: (its row of `pools.changing`, the Pool)}, {service: state}
        self._kept: tuple[dict[str, tuple[typing.Any, Pool]], dict[str, str]] = {}, {}

    def read(self, tx: db.Transaction, down_time: float) -> list[Pool]:
        """Every pool as it is now, and one Pool for a service without pools; `down_time` is in seconds."""
        (kept, before), (rows, states) = self._kept, pools.changing(tx, down_time)
        found: dict[str, tuple[typing.Any, Pool]] = {}
        unknown = {host for host, state in states.items() if before.get(host) != state}
        kept = kept if before.keys() <= states.keys() else {}
        for row in rows:
            entry = kept.get(row[0])
            if entry is None or entry[0][1] != row[1]:
                unknown.add(row[0].partition("#")[0])
            else:
                found[row[0]] = entry if entry[0] == row else (row, _changed(entry[1], row))
        if unknown or len(found) < len(kept):
            without = states.keys() - {pool.service_host for _, pool in found.values()} - unknown
            found |= {host: kept[host] for host in without & kept.keys()}
            unknown = (unknown | without - kept.keys()) & states.keys()
            present = {None: None, **{row[0]: row for row in rows}}
            # A pool that was added or deleted meanwhile is left out.
            found |= {full.name or full.service_host: (present[full.name], as_pool(full, down_time))
                      for full in (pools.with_services(tx, unknown) if unknown else ()) if full.name in present}
            found = dict(sorted(found.items()))
        self._kept = found, states
        return [pool for _, pool in found.values()]

def _changed(pool, row):
    # Without a number the pool has a word.
    return dataclasses.replace(pool, **{name: value for name, value in zip(pools.CHANGING, row[2:-1], strict=True)
                                        if value is not None})
