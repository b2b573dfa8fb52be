"""Loads the backup store."""

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.backup.stores import base
from cinder_lite.conf import plugins
from cinder_lite.conf.backup import STORES

#: Cinder's driver classes -> ours, so that an existing cinder.conf works unchanged.
CINDER_DRIVERS = {"cinder.backup.drivers.posix.PosixBackupDriver": "posix",
                  "cinder.backup.drivers.ceph.CephBackupDriver": "ceph"}


def known_as(name: str) -> str:
    """The name of a store in exported records, a Cinder driver class: tools check its prefix."""
    names = {ours: cinders for cinders, ours in CINDER_DRIVERS.items()}
    return names.get(name) or (name if "." in name else f"cinder.backup.drivers.{name}")


def load(conf: cfg.ConfigOpts) -> base.Store:
    """The store that backup_driver names. Raises Misconfigured if there is none."""
    conf.register_opts(plugins.options(STORES))
    try:
        return plugins.load(STORES, conf.backup_driver, CINDER_DRIVERS)(conf)
    except errors.Misconfigured as error:
        raise errors.Misconfigured(f"backup_driver: {error}") from error
