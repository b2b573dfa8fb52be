"""Loads the classes of the backends' drivers and targets, and the options of their sections."""

from typing import Any

from oslo_config import cfg

from cinder_lite import conf as configuration
from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.conf.backend import DRIVERS, TARGETS
from cinder_lite.volume.drivers import base as drivers

#: Cinder's driver classes and target helpers -> ours, so that an existing cinder.conf works unchanged.
CINDER_NAMES = {
    "cinder.volume.drivers.lvm.LVMVolumeDriver": "lvm",
    "cinder.volume.drivers.rbd.RBDDriver": "rbd",
    "tgtadm": "tgt",
    "lioadm": "lio",
}


def load(conf: cfg.ConfigOpts, section: str) -> tuple[list[Any], Any]:
    """(the classes of a backend's driver and target, the options of its section, with those of these classes alone).

    Raises Misconfigured if one is not installed, or the driver cannot be used in a cluster.
    """
    found = configuration.backend_options(conf, section)
    classes = []
    for option, namespace in (("volume_driver", DRIVERS), ("target_helper", TARGETS)):
        try:
            classes.append(plugins.load(namespace, found[option], CINDER_NAMES))
        except errors.Misconfigured as error:
            raise errors.Misconfigured(f"[{section}] {option}: {error}") from error
    if found.cluster and not issubclass(classes[0], drivers.Shared):
        raise errors.Misconfigured(
            f"[{section}] cluster: the driver {found.volume_driver} cannot be used by several hosts at the same time: "
            f"{classes[0].unshared}; remove the option, or use another driver (rbd, nfs)")
    return classes, configuration.backend_options(conf, section, *classes)


def enabled(conf: cfg.ConfigOpts) -> list[str]:
    """The sections of the backends. Raises Misconfigured if there are none."""
    if not conf.enabled_backends:
        raise errors.Misconfigured("enabled_backends is empty: name the sections that describe the backends")
    return conf.enabled_backends
