"""Options of the backup service."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.StrOpt("backup_driver", default="posix",
                   help="Store of backups, by its name in cinder_lite.backup.stores. Cinder's class paths are understood."),
        cfg.IntOpt("backup_max_operations", default=4, min=1, help="Backups and restores that one service runs at once."),
    ],
}
