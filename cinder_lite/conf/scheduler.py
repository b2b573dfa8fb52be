"""Options of the scheduler."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("scheduler_default_filters",
                    default=["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
                    help="Filters that a pool must pass, in this order. Entry points of "
                         "cinder_lite.scheduler.filters add further ones."),
        cfg.ListOpt("scheduler_default_weighers", default=["CapacityWeigher"],
                    help="Weighers that rank the remaining pools. Entry points of "
                         "cinder_lite.scheduler.weighers add further ones."),
        cfg.IntOpt("scheduler_max_attempts", default=3, min=1,
                   help="Maximum number of backends that are tried for one volume."),
        cfg.IntOpt("scheduler_max_operations", default=16, min=1, max=1000, help="Limit of concurrent placements."),
        cfg.IntOpt("scheduler_wait_for_backends", default=300, min=0, mutable=True,
                   help="Seconds for which a request waits while the only suitable backends are starting or down, or "
                        "no volume service has reported yet. After that it fails with the reasons; 0 to fail "
                        "immediately."),
        cfg.FloatOpt("capacity_weight_multiplier", default=1.0,
                     help="Weight of the free capacity. Positive values prefer the emptiest pool, negative ones the "
                          "fullest."),
        cfg.FloatOpt("allocated_capacity_weight_multiplier", default=-1.0, help="Weight of the allocated capacity."),
        cfg.FloatOpt("volume_number_multiplier", default=-1.0, help="Weight of the number of volumes in the pool."),
    ],
}
