"""Options of the backup service."""

from oslo_config import cfg

#: Namespace of the entry points of stores.
STORES = "cinder_lite.backup.stores"

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
        cfg.IntOpt("backup_sha_block_size_bytes", default=64 * 1024, min=4096, max=4 * 1024**2,
                   help="Size in bytes of the blocks that incremental backups compare and store. After a change the next "
                        "backup of each volume has to be a full one."),
        cfg.IntOpt("backup_file_size", default=32 * 1024**2, min=1024**2, max=2 * 1024**3,
                   help="How much of a volume, in bytes, goes into one object of the store at most; rounded up to a "
                        "multiple of backup_sha_block_size_bytes."),
        cfg.StrOpt("backup_compression_algorithm", default="zstd", choices=("zstd", "none", "off", "no", "zlib", "gzip", "bz2", "bzip2"),
                   help="How blocks are compressed. Blocks that hardly become smaller are stored as they are in any case. "
                        "Cinder's zlib, gzip, bz2 and bzip2 mean zstd."),
        cfg.IntOpt("backup_threads", default=3, min=1, max=64,
                   help="How many segments of one backup or restore are worked on at a time."),
    ],
}
