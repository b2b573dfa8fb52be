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
        cfg.FloatOpt("capacity_weight_multiplier", default=1.0, help="Positive: emptiest pool first; negative: fullest."),
        cfg.FloatOpt("allocated_capacity_weight_multiplier", default=-1.0, help="Weight of the capacity given out."),
        cfg.FloatOpt("volume_number_multiplier", default=-1.0, help="Weight of the number of volumes in the pool."),
    ],
}
