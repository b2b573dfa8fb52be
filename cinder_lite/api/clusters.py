"""Handles /clusters, and the hosts and clusters that bodies and queries name."""

from collections.abc import Mapping
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api.body import is_true
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.services import VOLUME, state
from cinder_lite.api.views.volumes import time
from cinder_lite.db import members, services

_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_FILTERS_SINCE_26 = ("replication_status", "frozen", "active_backend_id")


def place(req: Request, given: Mapping[str, Any]) -> str | None:
    """The host or cluster that a body or a query names, or None; for a member's host its cluster's.

    Raises InvalidInput if both are given, or for a cluster that does not exist.
    """
    host, cluster = given.get("host"), given.get("cluster")
    if host and cluster:
        raise errors.InvalidInput(reason="Exactly one of host and cluster is needed.")
    service, mark, pool = (host or cluster or "").partition("#")
    if not service:
        return None
    with req.db.read() as tx:
        row = services.find(tx, VOLUME, service)
        whole = row.cluster_name if row is not None else None
        if cluster and whole != service:
            known = ", ".join(one.host for one, _ in members.clusters(tx)) or "none"
            raise errors.InvalidInput(reason=f"There is no cluster {service}; the clusters are: {known}.",
                                      public=f"Invalid input received: There is no cluster {service}.")
    return f"{whole or service}{mark}{pool}"


def _view(req: Request, row: Row, others: list[Row]) -> dict[str, Any]:
    down = sum(state(one, req) == "down" for one in others)
    facts = {
        "name": row.host, "binary": row.binary, "state": state(row, req),
        "status": "disabled" if row.disabled else "enabled", "num_hosts": len(others), "num_down_hosts": down,
        "last_heartbeat": time(row.seen_at), "created_at": time(row.created_at), "updated_at": time(row.updated_at),
        "disabled_reason": row.disabled_reason}
    if req.at("3.26"):
        facts |= {"replication_status": row.replication_status or "disabled", "frozen": row.frozen,
                  "active_backend_id": row.active_backend_id}
    return facts


_SUMMARY = ("name", "binary", "state", "status", "replication_status")


def _summary(facts: Mapping[str, Any], *more: str) -> dict[str, Any]:
    return {key: facts[key] for key in (*_SUMMARY, *more) if key in facts}


def _clusters(req: Request) -> list[dict[str, Any]]:
    known = _FILTERS + (_FILTERS_SINCE_26 if req.at("3.26") else ())
    wanted = req.filters()
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filters {', '.join(unknown)}. Valid filters: {', '.join(known)}.")
    with req.db.read() as tx:
        rows = members.clusters(tx)
    found = [_view(req, row, others) for row, others in rows]
    return [facts for facts in found if all(_matches(facts, key, value) for key, value in wanted.items())]


def _matches(facts, key, value):
    if key == "is_up":
        return (facts["state"] == "up") == is_true(value)
    if key == "disabled":
        return (facts["status"] == "disabled") == is_true(value)
    if key == "frozen":
        return facts["frozen"] == is_true(value)
    return str(facts[key]) == value


def index(req: Request) -> dict[str, Any]:
    """GET /clusters: list the clusters of volume services."""
    return {"clusters": [_summary(facts) for facts in _clusters(req)]}


def detail(req: Request) -> dict[str, Any]:
    """GET /clusters/detail: list the clusters with their numbers of hosts."""
    return {"clusters": _clusters(req)}


def _find(req: Request, tx: db.Transaction, name: str, binary: str | None) -> dict[str, Any]:
    for row, others in members.clusters(tx):
        if row.host == name and row.binary == (binary or VOLUME):
            return _view(req, row, others)
    raise errors.ClusterNotFound(name=name)


def show(req: Request) -> dict[str, Any]:
    """GET /clusters/{name}: show a cluster."""
    with req.db.read() as tx:
        return {"cluster": _find(req, tx, req.name, req.query.get("binary"))}


@db.retried
def _switch(req: Request, disabled: bool, reason: str | None) -> dict[str, Any]:
    name, binary = req.document["name"], req.document.get("binary")
    with req.db.write() as tx:
        _find(req, tx, name, binary)
        services.switch(tx, VOLUME, name, disabled=disabled, disabled_reason=reason)
        return {"cluster": _summary(_find(req, tx, name, binary), "disabled_reason")}


def enable(req: Request) -> dict[str, Any]:
    """PUT /clusters/enable: let the scheduler choose a cluster's backend again."""
    return _switch(req, False, None)


def disable(req: Request) -> dict[str, Any]:
    """PUT /clusters/disable: place no more volumes on a cluster's backend."""
    reason = req.document.get("disabled_reason")
    return _switch(req, True, reason and reason.strip())
