"""Options of the volume service and of each backend's section."""

from oslo_config import cfg

#: Namespaces of the entry points of drivers and targets.
DRIVERS, TARGETS = "cinder_lite.volume.drivers", "cinder_lite.volume.targets"

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("enabled_backends", default=["file"], help="Names of the configuration sections of the backends."),
        cfg.IntOpt("backend_stats_polling_interval", default=60, min=1,
                   help="Seconds between two checks of a backend's state and capacity."),
        cfg.IntOpt("volume_copy_bps_limit", default=0, min=0, mutable=True,
                   help="Maximum rate at which one volume is copied, in bytes per second; 0 for no limit."),
        cfg.IntOpt("volume_max_operations", default=64, min=1, max=1000,
                   help="Maximum number of operations that one backend runs concurrently."),
        cfg.StrOpt("cluster",
                   help="Default of the option `cluster` of the backends' sections. Leave it unset where a backend of "
                        "this host is its own."),
    ],
}

BACKEND = [
    cfg.StrOpt("volume_driver", default="file",
               help="Name of the driver: an entry point of cinder_lite.volume.drivers. Cinder's class paths are "
                    "accepted."),
    cfg.StrOpt("volume_backend_name", help="Backend name that volume types refer to. Default: the section's name."),
    cfg.StrOpt("target_helper", default="tgt",
               help="Name of the target: an entry point of cinder_lite.volume.targets."),
    cfg.StrOpt("max_over_subscription_ratio", default="20.0",
               help="Maximum ratio of provisioned to total capacity of a thin pool: a number, or auto."),
    cfg.IntOpt("reserved_percentage", default=0, min=0, max=100, help="Percentage of a pool that is kept free."),
    cfg.StrOpt("filter_function",
               help="Expression that must be true for the scheduler to choose this backend (DriverFilter)."),
    cfg.StrOpt("goodness_function",
               help="Expression from 0 to 100 that rates how well a volume fits this backend (GoodnessWeigher)."),
    cfg.StrOpt("backend_availability_zone",
               help="Availability zone of this backend. Default: storage_availability_zone."),
    cfg.StrOpt("backend_host",
               help="Host part of this backend's name, for a backend that hosts serve one after the other; in a "
                    "cluster, of this service's own name. Default: host."),
    cfg.StrOpt("cluster",
               help="Name of the cluster of hosts that serve this backend at the same time, the same on each of them: "
                    "the host part of the backend's name. Needs a driver whose storage all of them reach (rbd, nfs)."),
]
