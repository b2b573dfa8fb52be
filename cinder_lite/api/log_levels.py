"""Handles /os-services/set-log and get-log."""

from typing import Any

from cinder_lite import errors
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import services
from cinder_lite.rpc import calls, log_levels

API = "cinder-api"
#: binary of a service -> the name of its RPC client
CLIENTS = {"cinder-volume": "volume", "cinder-scheduler": "scheduler", "cinder-backup": "backup"}


def _selected(req: Request) -> tuple[bool, list[Row]]:
    """(whether the API is selected, rows of the other selected services that are up)."""
    body = req.document
    binary, server = body.get("binary") or "*", body.get("server") or ""
    if binary not in ("*", API, *CLIENTS):
        raise errors.InvalidInput(reason=f"binary is '*', {API}, {', '.join(CLIENTS)}, not '{binary}'.")
    with req.db.read() as tx:
        rows = [row for row in services.page(tx, server or None, None if binary == "*" else binary)
                if row.binary in CLIENTS and services.is_up(row, req.conf.service_down_time)]
    api_too = binary in ("*", API) and server in ("", req.conf.host)
    if not rows and not api_too:
        raise errors.InvalidInput(reason=f"There is no {binary} that is up on '{server}'.")
    return api_too, rows


def set_levels(req: Request) -> None:
    """PUT /os-services/set-log: of the API only the worker that handles the request changes."""
    level, prefix = (req.document.get("level") or "").upper(), req.document.get("prefix") or ""
    if level not in log_levels.LEVELS:
        raise errors.InvalidInput(reason=f"level is one of {', '.join(log_levels.LEVELS)}.")
    api_too, rows = _selected(req)
    if api_too:
        log_levels.set(prefix, level)
    for row in rows:
        req.clients[CLIENTS[row.binary]].on(row.host).set_log_levels(req.ctx, prefix=prefix, level=level)


def get_levels(req: Request) -> dict[str, Any]:
    """PUT /os-services/get-log; services that do not reply are left out."""
    prefix = req.document.get("prefix") or ""
    api_too, rows = _selected(req)
    found = [{"binary": API, "host": req.conf.host, "levels": log_levels.get(prefix)}] if api_too else []
    for row in rows:
        try:
            levels = req.clients[CLIENTS[row.binary]].on(row.host).log_levels(req.ctx, prefix=prefix)
        except calls.NoAnswer:
            continue
        found.append({"binary": row.binary, "host": row.host, "levels": levels})
    return {"log_levels": found}
