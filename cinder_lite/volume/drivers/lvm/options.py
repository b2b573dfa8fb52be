"""Options of the LVM driver; those that Cinder has too have its names and meaning."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt("volume_group", default="cinder-volumes", help="Volume group in which the volumes are kept."),
    cfg.StrOpt("lvm_type", default="auto", choices=("default", "thin", "auto"),
               help="thin: in a thin pool named after the group with -pool, which is made when it is missing; default: "
                    "each with all its room from the beginning; auto: thin where that pool is or the group is empty."),
    cfg.StrOpt("lvm_conf_file", default="",
               help="LVM's configuration for this backend; its name has to be lvm.conf. Default: the system's."),
    cfg.StrOpt("lvm_max_over_subscription_ratio",
               help="In place of max_over_subscription_ratio, for a thin pool of LVM: a number, or auto."),
    cfg.IntOpt("lvm_mirrors", default=0, min=0,
               help="Further copies of each volume on other physical volumes (RAID 1); not for thin volumes."),
    cfg.IntOpt("lvm_snapshot_percent", default=100, min=1, max=100,
               help="Room of a snapshot of a volume that is not thin, in percent of the volume. A snapshot is lost when "
                    "more than that of its volume changes; with 100 it never is."),
    cfg.BoolOpt("lvm_zero_new_volumes", default=True,
                help="Overwrite new volumes that are not thin with zeros, in the fastest way that the disk has. False "
                     "only where all free room of the group is zeros already: new disks, and volume_clear = zero."),
    cfg.StrOpt("volume_clear", default="zero", choices=("none", "zero", "shred"),
               help="How a deleted volume that is not thin is overwritten: not at all, with zeros, or three times with "
                    "random bytes."),
    cfg.IntOpt("volume_clear_size", default=0, min=0, max=1024 * 1024,
               help="MiB from its beginning that are overwritten of a deleted volume; 0: all."),
    cfg.StrOpt("volume_dd_blocksize", default="1M",
               help="Size of the pieces in which random bytes are written: a number, with K, M or G behind it."),
)
