"""Options of the backup service."""

from oslo_config import cfg

#: Namespace of the entry points of stores.
STORES = "cinder_lite.backup.stores"

OPTIONS = {
    "DEFAULT": [
        cfg.StrOpt("backup_driver", default="posix",
                   help="Name of the backup store: an entry point of cinder_lite.backup.stores. Cinder's class paths "
                        "are accepted."),
        cfg.StrOpt("backup_ceph_conf", default="/etc/ceph/ceph.conf",
                   help="Ceph configuration file of the store `ceph`. Backups that Cinder made in Ceph are restored "
                        "and deleted with it, whatever the store."),
        cfg.StrOpt("backup_ceph_user", default="cinder",
                   help="Ceph user, without 'client.', with the capabilities mon 'profile rbd' and osd 'profile rbd "
                        "pool=...' for the pools of the backups."),
        cfg.IntOpt("backup_check_interval", default=60, min=1,
                   help="Seconds between two checks of the store, which write and delete a small object. While the "
                        "check fails, the service is reported as down and backups are refused unless another service "
                        "can make them."),
        cfg.IntOpt("backup_max_operations", default=4, min=1, max=1000,
                   help="Maximum number of backups and restores that one service runs concurrently."),
        cfg.IntOpt("backup_sha_block_size_bytes", default=64 * 1024, min=4096, max=4 * 1024**2,
                   help="Size, in bytes, of the blocks that incremental backups compare and store. After a change the "
                        "next backup of each volume must be a full one."),
        cfg.IntOpt("backup_file_size", default=32 * 1024**2, min=1024**2, max=2 * 1024**3,
                   help="Maximum number of bytes of a volume that are stored in one object; rounded up to a multiple "
                        "of backup_sha_block_size_bytes."),
        cfg.StrOpt("backup_compression_algorithm", default="zstd",
                   choices=("zstd", "none", "off", "no", "zlib", "gzip", "bz2", "bzip2"),
                   help="Compression of blocks. Blocks that hardly become smaller are stored uncompressed in any case. "
                        "Cinder's zlib, gzip, bz2 and bzip2 are aliases of zstd."),
        cfg.IntOpt("backup_threads", default=3, min=1, max=64,
                   help="Number of segments of one backup or restore that are processed concurrently."),
    ],
}
