"""Stores: where backups are kept."""

from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.conf.backup import STORES

#: Cinder's driver classes -> ours, so that an existing cinder.conf starts as it is.
CINDER_DRIVERS = {"cinder.backup.drivers.posix.PosixBackupDriver": "posix",
                  "cinder.backup.drivers.ceph.CephBackupDriver": "ceph"}


def known_as(name):
    """The class of Cinder's that a store is known by in exported records: tools look at how it begins."""
    names = {ours: cinders for cinders, ours in CINDER_DRIVERS.items()}
    return names.get(name) or (name if "." in name else f"cinder.backup.drivers.{name}")


def load(conf):
    """The store that backup_driver names; Misconfigured when there is none."""
    conf.register_opts(plugins.options(STORES))
    try:
        return plugins.load(STORES, conf.backup_driver, CINDER_DRIVERS)(conf)
    except errors.Misconfigured as error:
        raise errors.Misconfigured(f"backup_driver: {error}") from error
