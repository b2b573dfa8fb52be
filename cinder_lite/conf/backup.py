"""Options of the backup service."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.StrOpt("backup_driver", default="posix",
                   help="Store of backups, by its name in cinder_lite.backup.stores. Cinder's class paths are understood."),
        cfg.StrOpt("backup_ceph_conf", default="/etc/ceph/ceph.conf",
                   help="Ceph's configuration file, for the store `ceph` and for backups that Cinder made in Ceph: with any store "
                        "these are restored and deleted."),
        cfg.StrOpt("backup_ceph_user", default="cinder",
                   help="Ceph user without 'client.' for these, with the capabilities mon 'profile rbd' and osd 'profile "
                        "rbd pool=...' for the pools of the backups."),
        cfg.IntOpt("backup_check_interval", default=60, min=1,
                   help="Seconds between checks of the store: a small object is put and deleted. While that fails the service is "
                        "shown as down, and backups are refused unless another service can make them."),
        cfg.IntOpt("backup_max_operations", default=4, min=1, help="Backups and restores that one service runs at once."),
    ],
}
