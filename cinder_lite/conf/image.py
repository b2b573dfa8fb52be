"""Options of images: where Glance is, how patiently it is asked, and how images are converted."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("glance_api_servers",
                    help="URLs of Glance, http://host:9292, asked in turn. Default: the catalogue's entry, for which "
                         "[service_user] must be able to log in to Keystone."),
        cfg.StrOpt("glance_catalog_info", default="image:glance:publicURL",
                   help="The catalogue's entry: type, name and interface, separated by colons."),
        cfg.IntOpt("glance_num_retries", default=3, min=0, mutable=True,
                   help="How often Glance is asked again when it does not answer or breaks off; the waits before grow from "
                        "1 to 10 seconds. A download goes on from where it broke off, and counts anew."),
        cfg.IntOpt("glance_request_timeout", default=60, min=1, help="Seconds for which Glance may say nothing."),
        cfg.BoolOpt("glance_api_insecure", default=False, help="Do not check the certificate of Glance."),
        cfg.StrOpt("glance_ca_certificates_file", help="File of the authorities that vouch for Glance's certificate."),
        cfg.ListOpt("glance_core_properties", mutable=True,
                    default=["checksum", "container_format", "disk_format", "image_name", "image_id", "min_disk",
                             "min_ram", "name", "size"],
                    help="What a volume keeps of an image's description, beside the image's properties."),
        cfg.ListOpt("reserved_image_namespaces", default=[], mutable=True,
                    help="Beginnings of the names of image properties that an image of a volume is not given although the "
                         "volume has them, beside os_glance, img_signature and signature_verified, which never are."),
        cfg.ListOpt("allowed_direct_url_schemes", default=[], mutable=True,
                    help="Schemes of images' direct URLs that are used without Glance: file, where Glance's file store "
                         "is mounted on this host under the same path. A file backend on the same disk of XFS or btrfs "
                         "then shares the blocks of raw images."),
        cfg.StrOpt("image_conversion_dir", default="$state_path/conversion",
                   help="Directory in which images that are not raw are kept while they are converted. It needs room "
                        "for as many as are converted at a time."),
        cfg.IntOpt("image_conversion_address_space_limit", default=1, min=1,
                   help="GiB of memory that qemu-img may use to read an image's header."),
        cfg.IntOpt("image_conversion_cpu_limit", default=60, min=1,
                   help="Seconds of processor time that qemu-img may use to read an image's header."),
        cfg.BoolOpt("enable_force_upload", default=False, mutable=True,
                    help="Allow os-volume_upload_image with force, which makes an image of a volume in use."),
        cfg.StrOpt("cinder_internal_tenant_project_id", help="Project that owns the volumes of image caches."),
        cfg.StrOpt("cinder_internal_tenant_user_id", help="User who owns the volumes of image caches."),
    ],
}

BACKEND = [
    cfg.BoolOpt("image_volume_cache_enabled", default=False,
                help="Keep a volume of each image on this backend, of which further volumes are cloned. Needs "
                     "cinder_internal_tenant_project_id and cinder_internal_tenant_user_id."),
    cfg.IntOpt("image_volume_cache_max_size_gb", default=0, min=0,
               help="GiB that the image cache of this backend may take; 0 for no limit."),
    cfg.IntOpt("image_volume_cache_max_count", default=0, min=0,
               help="Volumes that the image cache of this backend may have; 0 for no limit."),
]
