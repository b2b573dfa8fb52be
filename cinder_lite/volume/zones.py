"""Lists the existing availability zones."""

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import services


def known(tx: db.Transaction, conf: cfg.ConfigOpts) -> set[str]:
    """The zones of enabled volume services, up or down, and those named in the configuration."""
    return {conf.storage_availability_zone, conf.default_availability_zone or conf.storage_availability_zone,
            *services.zones(tx)}
