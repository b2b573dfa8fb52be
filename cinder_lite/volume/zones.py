"""Availability zones: which there are."""

from cinder_lite.db import services


def known(tx, conf):
    """Those of enabled volume services, and those that the settings name: no service has to be up for these."""
    return {conf.storage_availability_zone, conf.default_availability_zone or conf.storage_availability_zone,
            *(row.availability_zone for row in services.page(tx, binary="cinder-volume") if not row.disabled)}
