"""Options of the volume service and of each backend's section."""

from oslo_config import cfg

#: Namespaces of the entry points of drivers and targets.
DRIVERS, TARGETS = "cinder_lite.volume.drivers", "cinder_lite.volume.targets"

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("enabled_backends", default=["file"], help="Names of the sections that describe the backends."),
        cfg.IntOpt("backend_stats_polling_interval", default=60, min=1, help="Seconds between measurements of a backend."),
        cfg.IntOpt("volume_copy_bps_limit", default=0, min=0, mutable=True,
                   help="Bytes a second to which the copying of one volume is held; 0 for no limit."),
        cfg.IntOpt("volume_max_operations", default=64, min=1, help="Operations that one backend runs at once."),
    ],
}

BACKEND = [
    cfg.StrOpt("volume_driver", default="file",
               help="Driver, by its name in cinder_lite.volume.drivers. Cinder's class paths are understood."),
    cfg.StrOpt("volume_backend_name", help="Name that types ask for; default: the section's name."),
    cfg.StrOpt("target_helper", default="tgt", help="Target, by its name in cinder_lite.volume.targets."),
    cfg.StrOpt("max_over_subscription_ratio", default="20.0",
               help="How many times its size a thin pool may be promised: a number, or auto."),
    cfg.IntOpt("reserved_percentage", default=0, min=0, max=100, help="Percent of a pool that is left free."),
    cfg.StrOpt("filter_function", help="Expression that must be true for a volume to be put here (DriverFilter)."),
    cfg.StrOpt("goodness_function", help="Expression from 0 to 100 that says how well a volume fits (GoodnessWeigher)."),
    cfg.StrOpt("backend_availability_zone", help="Availability zone of this backend, when not the service's."),
    cfg.StrOpt("backend_host", help="Host part of this backend's name, when shared by several services."),
]
