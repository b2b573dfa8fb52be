"""cinder-lite-manage service: lists the services and removes former ones."""

import argparse

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import services
from cinder_lite.manage import OK, Commands, Failed, table
from cinder_lite.service.process import Process


def show(shared: Process, _args: argparse.Namespace) -> int:
    """list the services and whether they are up"""
    with shared.db.read() as tx:
        rows = services.page(tx)
    table(("Binary", "Host", "Zone", "Enabled", "State", "Last heartbeat", "Reason"), [
        (row.binary, row.host, row.availability_zone, "no" if row.disabled else "yes",
         "up" if services.is_up(row, shared.conf.service_down_time) else "down", row.seen_at,
         row.disabled_reason or row.backend_reason) for row in rows])
    return OK


def remove(shared: Process, args: argparse.Namespace) -> int:
    """remove a service that no longer exists from the list"""
    with shared.db.write() as tx:
        expect_down(tx, shared.conf, args.binary, args.host)
        services.remove(tx, args.binary, args.host)
    print(f"Removed {args.binary} on {args.host}.")
    return OK


def expect_down(tx: db.Transaction, conf: cfg.ConfigOpts, binary: str, host: str) -> None:
    """Raise Failed while the service is up, ServiceNotFound if there is none."""
    if services.is_up(services.get(tx, binary, host), conf.service_down_time):
        raise Failed(f"{binary} on {host} is up: stop it first")


COMMANDS: Commands = {("service", "list"): (show, (), True),
                      ("service", "remove"): (remove, (("binary", {}), ("host", {})), True)}
