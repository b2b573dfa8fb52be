"""Options of the scheduler."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("scheduler_default_filters",
                    default=["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
                    help="Filters that a pool has to pass, by their names in cinder_lite.scheduler.filters."),
        cfg.ListOpt("scheduler_default_weighers", default=["CapacityWeigher"],
                    help="Weighers that order the pools that passed, by their names in cinder_lite.scheduler.weighers."),
        cfg.IntOpt("scheduler_max_attempts", default=3, min=1,
                   help="Backends that are tried for one volume before it is given up."),
        cfg.IntOpt("scheduler_wait_for_backends", default=300, min=0, mutable=True,
                   help="Seconds for which a request waits while the only backends that could take it are starting or down, "
                        "or no volume service has reported yet. Then it fails with the reasons; 0: at once."),
        cfg.FloatOpt("capacity_weight_multiplier", default=1.0, help="Positive: emptiest pool first; negative: fullest."),
        cfg.FloatOpt("allocated_capacity_weight_multiplier", default=-1.0, help="Weight of the capacity given out."),
        cfg.FloatOpt("volume_number_multiplier", default=-1.0, help="Weight of the number of volumes in the pool."),
    ],
}
