"""Translates the keys of Cinder's QoS specs into librbd's options."""

import logging
import typing

if typing.TYPE_CHECKING:  # the librbd process, which imports this module, has no oslo.config
    from cinder_lite.volume.drivers import base

LOG = logging.getLogger(__name__)

#: Cinder's key -> librbd's option. Cinder 29 writes total_iops_sec_max to rbd_qos_bps_burst, which limits bytes.
OPTIONS = {
    "total_iops_sec": "rbd_qos_iops_limit", "read_iops_sec": "rbd_qos_read_iops_limit",
    "write_iops_sec": "rbd_qos_write_iops_limit",
    "total_bytes_sec": "rbd_qos_bps_limit", "read_bytes_sec": "rbd_qos_read_bps_limit",
    "write_bytes_sec": "rbd_qos_write_bps_limit",
    "total_iops_sec_max": "rbd_qos_iops_burst", "read_iops_sec_max": "rbd_qos_read_iops_burst",
    "write_iops_sec_max": "rbd_qos_write_iops_burst",
    "total_bytes_sec_max": "rbd_qos_bps_burst", "read_bytes_sec_max": "rbd_qos_read_bps_burst",
    "write_bytes_sec_max": "rbd_qos_write_bps_burst",
}


def limits(volume: "base.Volume") -> dict[str, str]:
    """librbd's options for a volume: {option: text}."""
    unknown = sorted(volume.qos.keys() - OPTIONS.keys())
    if unknown:
        LOG.warning("RBD does not support %s of the QoS spec of volume %s's type", ", ".join(unknown), volume.id)
    return {OPTIONS[key]: str(value).strip() for key, value in volume.qos.items()
            if key in OPTIONS and value is not None}
