"""Options of the RBD driver; names and meaning as in Cinder."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt("rbd_pool", default="rbd", help="Pool in which the volumes are kept."),
    cfg.StrOpt("rbd_user", help="Ceph user without 'client.', who needs the capabilities mon 'profile rbd' and osd "
                                "'profile rbd pool=...'. Default: admin."),
    cfg.StrOpt("rbd_ceph_conf", default="", help="Ceph's configuration file; by default where Ceph looks for it."),
    cfg.StrOpt("rbd_cluster_name", default="ceph", help="Name of the cluster."),
    cfg.StrOpt("rbd_secret_uuid", help="Libvirt's secret with the user's key, by its UUID."),
    cfg.BoolOpt("rbd_give_keyring", default=True,
                help="Put the user's keyring into connection information, for hosts that have none. Whoever may see "
                     "an attachment's connection information can then read it: false where all hosts have the keyring."),
    cfg.IntOpt("rbd_store_chunk_size", default=4, min=1, max=32,
               help="MiB in one object of a volume, a power of two."),
    cfg.IntOpt("rbd_max_clone_depth", default=5, min=0,
               help="How many generations of clones may depend on each other; a later one is made independent "
                    "(flattened) in the background."),
    cfg.BoolOpt("rbd_flatten_volume_from_snapshot", default=False,
                help="Make volumes from snapshots independent of them, in the background."),
    cfg.BoolOpt("rbd_exclusive_cinder_pool", default=True,
                help="Nobody but this backend makes images in the pool, so that their sizes are measured only after it "
                     "has changed some; false: at each measurement."),
    cfg.BoolOpt("report_dynamic_total_capacity", default=True,
                help="Report as the pool's capacity what is stored in it and what is free, in place of the cluster's "
                     "size or the pool's quota."),
    cfg.BoolOpt("enable_deferred_deletion", default=False,
                help="Move deleted volumes to the pool's trash, from where they are purged later."),
    cfg.IntOpt("deferred_deletion_delay", default=0, min=0, help="Seconds that a deleted volume stays in the trash."),
    cfg.IntOpt("deferred_deletion_purge_interval", default=60, min=0,
               help="Seconds between two purges of the trash, with enable_deferred_deletion; they wait for the next "
                    "measurement of the backend."),
    cfg.IntOpt("rados_connect_timeout", default=-1,
               help="Seconds within which the cluster has to be reached; -1: as rbd_call_timeout."),
    cfg.IntOpt("rbd_call_timeout", default=60, min=1,
               help="Seconds that a call to Ceph may take before the cluster is asked for a sign of life; without one "
                    "all calls under way fail."),
)
