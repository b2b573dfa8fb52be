"""Configuration: every option is declared in one of this package's modules and handed on as an argument."""

import errno
import socket
import sys

from oslo_config import cfg
from oslo_log import log

from cinder_lite.conf import api, backend, backup, database, image, metrics, quota, scheduler, service
from cinder_lite.host import release
from cinder_lite.nova import client
from cinder_lite.rpc import transport

SECTIONS = (service, api, quota, scheduler, backup, database, backend, image, metrics)
#: What the section of every backend knows, whatever its driver.
BACKEND = (*backend.BACKEND, *image.BACKEND)


def list_opts():
    """(group, options) pairs of all there are, for oslo-config-generator."""
    from cinder_lite.volume.backends import driver_options

    groups = own_options()
    groups["backend_name"] = [*BACKEND, *driver_options()]
    groups[image.SERVICE_USER] = image.service_user_options()
    groups[client.GROUP] = client.options()
    return sorted((group, options) for group, options in groups.items())


def own_options():
    """{group: options} but for those of drivers and of libraries, which are heavy to import."""
    from cinder_lite.backup import stores

    groups = {}
    for section in SECTIONS:
        for group, options in section.OPTIONS.items():
            groups.setdefault(group, []).extend(options)
    groups["DEFAULT"] += stores.options()
    return groups


def load(argv=None, files=None, prog="cinder-lite"):
    """Read the command line and the configuration files. Returns a ConfigOpts of its own, never the global one."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    transport.register_options(conf)
    for section in SECTIONS:
        for group, options in section.OPTIONS.items():
            conf.register_opts(options, group=None if group == "DEFAULT" else group)
    found = files or [path for path in ("/etc/cinder/cinder.conf",) if _is_there(path)]
    conf(sys.argv[1:] if argv is None else argv, project="cinder", prog=prog, default_config_files=found,
         version=f"{prog} {release.version()}")
    if conf.host is None:
        conf.set_default("host", socket.gethostname())
    return conf


def _is_there(path):
    """Settings that may not be read are there, too: with the defaults it would be another service."""
    try:
        with open(path):
            return True
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)


def backend_options(conf, name, *plugins):
    """The options of one enabled backend: its section, registered with what its driver and target declare."""
    conf.register_opts([*BACKEND, *(option for plugin in plugins for option in plugin.OPTIONS)], group=name)
    return conf[name]
