"""Options of the LVM driver; names and meaning of those that Cinder has are the same."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt("volume_group", default="cinder-volumes", help="Volume group that contains the volumes."),
    cfg.StrOpt("lvm_type", default="auto", choices=("default", "thin", "auto"),
               help="thin: thin volumes in a thin pool with the group's name and the suffix -pool, which is created if "
                    "it is missing; default: thick volumes; auto: thin if that pool exists or the group is empty."),
    cfg.StrOpt("lvm_conf_file", default="",
               help="LVM's configuration file for this backend; its name must be lvm.conf. Default: the system's."),
    cfg.StrOpt("lvm_max_over_subscription_ratio",
               help="Replaces max_over_subscription_ratio for an LVM thin pool: a number, or auto."),
    cfg.IntOpt("lvm_mirrors", default=0, min=0,
               help="Additional copies of each thick volume on other physical volumes (RAID 1)."),
    cfg.IntOpt("lvm_snapshot_percent", default=100, min=1, max=100,
               help="Space of a thick volume's snapshot, in percent of the volume. A snapshot becomes invalid when "
                    "more than that of its volume changes; with 100 it never does."),
    cfg.BoolOpt("lvm_zero_new_volumes", default=True,
                help="Overwrite new thick volumes with zeros, in the fastest way that the disk supports. Set false "
                     "only if all free space of the group reads as zeros: new disks, and volume_clear = zero."),
    cfg.StrOpt("volume_clear", default="zero", choices=("none", "zero", "shred"),
               help="How a deleted thick volume is overwritten: not at all, with zeros, or three times with random "
                    "bytes."),
    cfg.IntOpt("volume_clear_size", default=0, min=0, max=1024 * 1024,
               help="MiB at the beginning of a deleted volume that are overwritten; 0: all."),
    cfg.StrOpt("volume_dd_blocksize", default="1M",
               help="Block size for writing random bytes: a number with the unit K, M or G."),
)
