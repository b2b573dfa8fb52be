"""Options of the default quotas of a project; -1 is unlimited."""

from oslo_config import cfg


def _limit(name, default, what):
    return cfg.IntOpt(name, default=default, min=-1, mutable=True,
                      help=f"Default quota of a project: {what}; -1 is unlimited.")


OPTIONS = {
    "DEFAULT": [
        _limit("quota_volumes", 10, "number of volumes"),
        _limit("quota_snapshots", 10, "number of snapshots"),
        _limit("quota_gigabytes", 1000, "total size of volumes and snapshots, in GiB"),
        _limit("quota_backups", 10, "number of backups"),
        _limit("quota_backup_gigabytes", 1000, "total size of backups, in GiB"),
        _limit("quota_groups", 10, "number of groups"),
        _limit("per_volume_size_limit", -1, "size of a single volume, in GiB"),
        cfg.IntOpt("max_metadata_items", default=256, min=1, mutable=True,
                   help="Maximum number of metadata items of a volume, snapshot or backup, of image metadata items of "
                        "a volume, and of specs of a type, group type or QoS spec."),
        cfg.BoolOpt("no_snapshot_gb_quota", default=False, mutable=True,
                    help="Do not count the size of snapshots towards quota_gigabytes."),
    ],
}
