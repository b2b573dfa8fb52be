"""Configuration: registers all options, and reads the command line and the files."""

import errno
import socket
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from oslo_log import log

from cinder_lite import errors
from cinder_lite.conf import (
    api,
    backend,
    backup,
    credentials,
    database,
    image,
    metrics,
    plugins,
    quota,
    scheduler,
    service,
)
from cinder_lite.host import release
from cinder_lite.rpc import transport

#: Entry points of installed packages that add options, each {group: [options]}.
NAMESPACE = "cinder_lite.options"
SECTIONS = (service, api, quota, scheduler, backup, database, backend, image, metrics)
#: Options of the section of every backend, whatever its driver.
BACKEND = (*backend.BACKEND, *image.BACKEND)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """(group, options) pairs of all options, for oslo-config-generator."""
    groups = own_options() | credentials.options()
    groups["backend_name"] = [*BACKEND, *driver_options()]
    return sorted((group, options) for group, options in groups.items())


def own_options() -> dict[str, list[cfg.Opt]]:
    """{group: options} without those of drivers and of libraries, which take long to import."""
    groups: dict[str, list[cfg.Opt]] = {}
    for section in SECTIONS:
        for group, options in section.OPTIONS.items():
            groups.setdefault(group, []).extend(options)
    groups["DEFAULT"] += plugins.options(backup.STORES)
    for added in plugins.every(NAMESPACE).values():
        for group, options in added.items():
            groups.setdefault(group, []).extend(options)
    return groups


def driver_options() -> tuple[cfg.Opt, ...]:
    """The options of all installed drivers and targets."""
    return plugins.options(backend.DRIVERS, backend.TARGETS)


def load(argv: Sequence[str] | None = None, files: Sequence[str] | None = None,
         prog: str = "cinder-lite") -> cfg.ConfigOpts:
    """Read the command line and the configuration files. Returns a ConfigOpts of its own, never the global one."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    transport.register_options(conf)
    for section in SECTIONS:
        for group, options in section.OPTIONS.items():
            conf.register_opts(options, group=None if group == "DEFAULT" else group)
    _register_added(conf)
    found = list(files) if files else [path for path in ("/etc/cinder/cinder.conf",) if _exists(path)]
    conf(sys.argv[1:] if argv is None else argv, project="cinder", prog=prog, default_config_files=found,
         version=f"{prog} {release.version()}")
    if conf.host is None:
        conf.set_default("host", socket.gethostname())
    return conf


def _register_added(conf: cfg.ConfigOpts) -> None:
    """Register the options that installed packages add. Raises Misconfigured where one redefines another."""
    for name, added in plugins.every(NAMESPACE).items():
        for group, options in added.items():
            try:
                conf.register_opts(options, group=None if group == "DEFAULT" else group)
            except cfg.DuplicateOptError as error:
                origin = plugins.origin(NAMESPACE, name)
                raise errors.Misconfigured(f"{origin} defines the option [{group}] {error.opt_name} once "
                                           f"more") from error


def _exists(path):
    """Whether the file exists, readable or not: ignoring an unreadable one would run the service with defaults."""
    try:
        with open(path):
            return True
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)


def backend_options(conf: cfg.ConfigOpts, name: str, *classes: Any) -> Any:
    """The section of one backend, with the options of these driver and target classes registered."""
    conf.register_opts([*BACKEND, *(option for one in classes for option in one.OPTIONS)], group=name)
    conf.set_default("cluster", conf.cluster, group=name)
    conf.set_default("backend_host", conf.host, group=name)
    return conf[name]
