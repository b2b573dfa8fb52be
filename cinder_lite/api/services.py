"""Handles /os-services, /os-availability-zone, /scheduler-stats and /capabilities."""

from collections.abc import Mapping
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import filters, pages
from cinder_lite.api.clusters import place
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.services import VOLUME
from cinder_lite.db import pools, services, types
from cinder_lite.jobs import pool_capacity, pool_facts
from cinder_lite.jobs.pool_capacity import as_pool
from cinder_lite.rpc import calls
from cinder_lite.scheduler import choose, plugins


def index(req: Request) -> Page:
    """GET /os-services?host=&binary=: list services."""
    with req.db.read() as tx:
        return pages.Page(services.page(tx, req.query.get("host"), req.query.get("binary") or req.query.get("service")))


@db.retried
def _switch(req: Request, **values: Any) -> dict[str, Any]:
    body = req.document
    binary, host = body.get("binary") or body.get("service"), body.get("host")
    if not host:
        raise errors.InvalidInput(reason="The service is named by host and binary; host is missing.")
    with req.db.write() as tx:
        services.switch(tx, binary, host, **values)
    return {"host": host, "service": binary, "binary": binary, "disabled": values["disabled"],
            "status": "disabled" if values["disabled"] else "enabled"}


def enable(req: Request) -> dict[str, Any]:
    """PUT /os-services/enable: enable a service."""
    return _switch(req, disabled=False, disabled_reason=None)


def disable(req: Request) -> dict[str, Any]:
    """PUT /os-services/disable: disable a service."""
    return _switch(req, disabled=True, disabled_reason=None)


def disable_with_reason(req: Request) -> dict[str, Any]:
    """PUT /os-services/disable-log-reason: disable a service and record the reason."""
    reason = req.document.get("disabled_reason")
    reason = reason and reason.strip()
    return {**_switch(req, disabled=True, disabled_reason=reason), "disabled_reason": reason}


def _backend_host(req: Request) -> str:
    """The backend that a body names by host or cluster. Raises InvalidInput."""
    host = place(req, req.document)
    if host is None:
        raise errors.InvalidInput(reason="host is needed: the backend's, as host@backend.")
    return host


def _backend(tx: db.Transaction, host: str) -> Row:
    row = services.find(tx, VOLUME, host)
    if row is None:
        raise errors.InvalidInput(reason=f"There is no service cinder-volume on {host}.")
    return row


@db.retried
def _freeze(req: Request, frozen: bool) -> None:
    host = _backend_host(req)
    with req.db.write() as tx:
        row = _backend(tx, host)
        if row.frozen == frozen:
            raise errors.InvalidInput(reason=f"{host} is {'frozen already' if frozen else 'not frozen'}.")
        services.switch(tx, VOLUME, host, frozen=frozen)


def freeze(req: Request) -> None:
    """PUT /os-services/freeze: freeze a backend: it refuses creates, deletes and snapshots; its volumes stay usable."""
    _freeze(req, True)


def thaw(req: Request) -> None:
    """PUT /os-services/thaw: end the freeze of a backend."""
    _freeze(req, False)


def failover(req: Request) -> None:
    """PUT /os-services/failover_host and /os-services/failover: refused, as no driver replicates."""
    host = _backend_host(req)
    with req.db.read() as tx:
        _backend(tx, host)
    raise errors.InvalidInput(reason=f"The driver of {host} does not replicate, so it cannot fail over.")


def zones(req: Request) -> dict[str, Any]:
    """GET /os-availability-zone: list the zones of volume services; one with an enabled service is available."""
    found: dict[str, bool] = {}
    with req.db.read() as tx:
        for row in services.page(tx, binary=VOLUME):
            found[row.availability_zone] = found.get(row.availability_zone, False) or not row.disabled
    return {"availabilityZoneInfo": [{"zoneName": name, "zoneState": {"available": available}}
                                     for name, available in sorted(found.items())]}


def get_pools(req: Request) -> Page:
    """GET /scheduler-stats/get_pools?detail=: list pools."""
    req.flag("detail")
    wanted = {key: value for key, value in req.filters().items() if key != "detail"} if req.at("3.28") else {}
    filters.check(req, "pool", wanted, admins_too=True)
    with req.db.read() as tx:
        rows = pools.with_services(tx)
        type_ = types.get_by_name_or_id(tx, req.ctx, wanted.pop("volume_type")) if (
            req.at("3.35") and wanted.get("volume_type")) else None
    wanted.pop("volume_type", None)
    return pages.Page([row for row in rows if row.name is not None and _matches(req, row, wanted, type_)])


def _matches(req: Request, row: Row, wanted: Mapping[str, str], type_: Row | None) -> bool:
    pool = as_pool(row, req.conf.service_down_time)
    facts = {**pool_facts.facts(pool), "name": pool.name}
    if any(str(facts.get(key)) != value for key, value in wanted.items()):
        return False
    if type_ is None:
        return True
    request = pool_capacity.Request(size=0, extra_specs=type_.extra_specs)
    chosen = choose.choose(request, [pool], plugins.load_filters(req.conf.scheduler_default_filters), ())
    return bool(chosen.ranked)


def capabilities(req: Request) -> dict[str, Any]:
    """GET /capabilities/{host}: show a backend's capabilities."""
    with req.db.read() as tx:
        row = services.get(tx, VOLUME, req.host)
    if not services.is_up(row, req.conf.service_down_time):
        raise calls.Down(topic=req.clients["volume"].interface.topic, host=req.host)
    return req.clients["volume"].on(req.host).capabilities(req.ctx)
