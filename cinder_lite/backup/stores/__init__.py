"""Stores: where backups are kept."""

from stevedore import driver, extension
from stevedore import exception as loading_errors

NAMESPACE = "cinder_lite.backup.stores"
#: Cinder's driver classes -> ours, so that an existing cinder.conf starts as it is.
CINDER_DRIVERS = {"cinder.backup.drivers.posix.PosixBackupDriver": "posix",
                  "cinder.backup.drivers.ceph.CephBackupDriver": "ceph"}


def known_as(name):
    """The class of Cinder's that a store is known by in exported records: tools look at how it begins."""
    names = {ours: cinders for cinders, ours in CINDER_DRIVERS.items()}
    return names.get(name) or (name if "." in name else f"cinder.backup.drivers.{name}")


def options():
    """The options of every store that is installed."""
    from cinder_lite.backup import chunks

    found = {option.name: option for option in chunks.OPTIONS}
    for plugin in extension.ExtensionManager(NAMESPACE):
        found |= {option.name: option for option in plugin.plugin.OPTIONS}
    return list(found.values())


def load(conf):
    """The store that backup_driver names. Ends the process with a clear line when there is none."""
    from cinder_lite import service

    conf.register_opts(options())
    name = CINDER_DRIVERS.get(conf.backup_driver, conf.backup_driver)
    try:
        made = driver.DriverManager(NAMESPACE, name, warn_on_missing_entrypoint=False).driver
    except loading_errors.NoMatches:
        known = ", ".join(sorted(extension.ExtensionManager(NAMESPACE).names()))
        return service.fatal(f"backup_driver is '{name}'; there are: {known}")
    return made(conf)
