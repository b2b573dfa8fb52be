"""Options of the RBD driver; names and meaning are the same as in Cinder."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt("rbd_pool", default="rbd", help="Pool that contains the volumes."),
    cfg.StrOpt("rbd_user", help="Ceph user without the prefix 'client.'. It needs the capabilities mon 'profile rbd' "
                                "and osd 'profile rbd pool=...'. Default: admin."),
    cfg.StrOpt("rbd_ceph_conf", default="", help="Ceph's configuration file. Default: Ceph's default locations."),
    cfg.StrOpt("rbd_cluster_name", default="ceph", help="Name of the cluster."),
    cfg.StrOpt("rbd_secret_uuid", help="UUID of the libvirt secret with the user's key."),
    cfg.BoolOpt("rbd_give_keyring", default=True,
                help="Include the user's keyring in connection information, for hosts that have none. Everybody who "
                     "may see an attachment's connection information can then read it; set false if all hosts have "
                     "the keyring."),
    cfg.IntOpt("rbd_store_chunk_size", default=4, min=1, max=32,
               help="Size in MiB of a volume's RADOS objects, a power of two."),
    cfg.IntOpt("rbd_max_clone_depth", default=5, min=0,
               help="Maximum depth of chains of clones; deeper clones are flattened in the background."),
    cfg.BoolOpt("rbd_flatten_volume_from_snapshot", default=False,
                help="Flatten volumes created from snapshots, in the background."),
    cfg.BoolOpt("rbd_exclusive_cinder_pool", default=True,
                help="Only this backend changes images in the pool, so their sizes are measured only after its own "
                     "changes; false: at each measurement."),
    cfg.BoolOpt("report_dynamic_total_capacity", default=True,
                help="Report the sum of the pool's stored and free bytes as its total capacity, instead of the "
                     "cluster's size or the pool's quota."),
    cfg.BoolOpt("enable_deferred_deletion", default=False,
                help="Move deleted volumes to the pool's trash, to be purged later."),
    cfg.IntOpt("deferred_deletion_delay", default=0, min=0, help="Seconds that a deleted volume stays in the trash."),
    cfg.IntOpt("deferred_deletion_purge_interval", default=60, min=0,
               help="Seconds between purges of the trash with enable_deferred_deletion; a purge starts at the next "
                    "measurement of the backend."),
    cfg.IntOpt("rados_connect_timeout", default=-1,
               help="Timeout in seconds for connecting to the cluster; -1: rbd_call_timeout."),
    cfg.IntOpt("rbd_call_timeout", default=60, min=1,
               help="Seconds after which a running call checks whether the cluster responds; if not, all running calls "
                    "fail."),
)
