"""Default limits of a project; -1 is unlimited."""

from oslo_config import cfg


def _limit(name, default, what):
    return cfg.IntOpt(name, default=default, min=-1, mutable=True, help=f"{what} that a project may have; -1 is unlimited.")


OPTIONS = {
    "DEFAULT": [
        _limit("quota_volumes", 10, "Number of volumes"),
        _limit("quota_snapshots", 10, "Number of snapshots"),
        _limit("quota_gigabytes", 1000, "GiB of volumes and snapshots"),
        _limit("quota_backups", 10, "Number of backups"),
        _limit("quota_backup_gigabytes", 1000, "GiB of backups"),
        _limit("quota_groups", 10, "Number of groups"),
        _limit("per_volume_size_limit", -1, "GiB in a single volume"),
        cfg.IntOpt("max_metadata_items", default=256, min=1, mutable=True,
                   help="Items of metadata that one volume, snapshot or backup may have; also of image metadata, and of specs "
                        "of one type, group type or QoS spec."),
        cfg.BoolOpt("no_snapshot_gb_quota", default=False, mutable=True, help="Do not count snapshots as GiB."),
    ],
}
