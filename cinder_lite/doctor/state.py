"""Holds the state of the installation that the checks read."""

import dataclasses

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.doctor.inventory import Inventory


@dataclasses.dataclass(frozen=True)
class State:
    """`tx` reads the database as of one moment; `live` are the live jobs of that moment; `inventory` was listed
    before it."""

    tx: db.Transaction
    conf: cfg.ConfigOpts
    live: tuple[db.Row, ...]
    services: tuple[db.Row, ...]
    inventory: Inventory
