"""cinder-lite-manage service: which services there are, and forgetting those that are not any more."""

from collections.abc import Callable
from typing import Any

from cinder_lite.db import services
from cinder_lite.manage import OK, Failed, table


def show(shared, _args):
    """list the services and whether they are up"""
    with shared.db.read() as tx:
        rows = services.page(tx)
    table(("Binary", "Host", "Zone", "Enabled", "State", "Last heartbeat", "Reason"), [
        (row.binary, row.host, row.availability_zone, "no" if row.disabled else "yes",
         "up" if services.is_up(row, shared.conf.service_down_time) else "down", row.seen_at,
         row.disabled_reason or row.backend_reason) for row in rows])
    return OK


def remove(shared, args):
    """forget a service that does not exist any more"""
    with shared.db.write() as tx:
        expect_down(tx, shared.conf, args.binary, args.host)
        services.remove(tx, args.binary, args.host)
    print(f"Removed {args.binary} on {args.host}.")
    return OK


def expect_down(tx, conf, binary, host):
    """Raise Failed while the service lives, ServiceNotFound when there is none."""
    if services.is_up(services.get(tx, binary, host), conf.service_down_time):
        raise Failed(f"{binary} on {host} is up: stop it first")


COMMANDS: dict[tuple[str, str], tuple[Callable[..., object], tuple[Any, ...], bool]] = {
    ("service", "list"): (show, (), True),
    ("service", "remove"): (remove, (("binary", {}), ("host", {})), True),
}
