"""Options of images: access to Glance, and image conversion."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.ListOpt("glance_api_servers",
                    help="URLs of Glance, http://host:9292, used in turn. Default: the endpoint in the service "
                         "catalog, for which the credentials in [service_user] are needed."),
        cfg.StrOpt("glance_catalog_info", default="image:glance:publicURL",
                   help="Service catalog entry of Glance: type, name and interface, separated by colons."),
        cfg.IntOpt("glance_num_retries", default=3, min=0, mutable=True,
                   help="Number of retries when Glance does not answer or a transfer is interrupted, after waits that "
                        "grow from 1 to 10 seconds. A download resumes where it was interrupted, with the full number "
                        "of retries."),
        cfg.IntOpt("glance_request_timeout", default=60, min=1,
                   help="Seconds to wait for the next data from Glance before a request fails."),
        cfg.BoolOpt("glance_api_insecure", default=False, help="Do not verify the certificate of Glance."),
        cfg.StrOpt("glance_ca_certificates_file",
                   help="File of CA certificates that the certificate of Glance is verified with."),
        cfg.ListOpt("glance_core_properties", mutable=True,
                    default=["checksum", "container_format", "disk_format", "image_name", "image_id", "min_disk",
                             "min_ram", "name", "size"],
                    help="Attributes of an image that are copied to its volumes, in addition to the image's "
                         "properties."),
        cfg.ListOpt("reserved_image_namespaces", default=[], mutable=True,
                    help="Prefixes of image properties that are not copied from a volume to an image that is made of "
                         "it. os_glance, img_signature and signature_verified never are."),
        cfg.ListOpt("allowed_direct_url_schemes", default=[], mutable=True,
                    help="Schemes of images' direct URLs that are read without Glance. With `file`, Glance's file "
                         "store must be mounted on this host under the same path; a file backend on the same XFS or "
                         "btrfs file system then shares the blocks of raw images."),
        cfg.StrOpt("image_conversion_dir", default="$state_path/conversion",
                   help="Directory for images that are being converted to raw. It must have enough space for all "
                        "images that are converted at the same time."),
        cfg.IntOpt("image_conversion_address_space_limit", default=1, min=1,
                   help="Maximum memory, in GiB, of qemu-img while it reads an image's header."),
        cfg.IntOpt("image_conversion_cpu_limit", default=60, min=1,
                   help="Maximum CPU time, in seconds, of qemu-img while it reads an image's header."),
        cfg.BoolOpt("enable_force_upload", default=False, mutable=True,
                    help="Allow os-volume_upload_image with force, which makes an image of a volume in use."),
        cfg.StrOpt("cinder_internal_tenant_project_id", help="Project that owns the volumes of image caches."),
        cfg.StrOpt("cinder_internal_tenant_user_id", help="User that owns the volumes of image caches."),
    ],
}

BACKEND = [
    cfg.BoolOpt("image_volume_cache_enabled", default=False,
                help="Keep a volume of each image on this backend and clone it for further volumes of the image. "
                     "Requires cinder_internal_tenant_project_id and cinder_internal_tenant_user_id."),
    cfg.IntOpt("image_volume_cache_max_size_gb", default=0, min=0,
               help="Maximum total size of this backend's image cache, in GiB; 0 for no limit."),
    cfg.IntOpt("image_volume_cache_max_count", default=0, min=0,
               help="Maximum number of volumes in this backend's image cache; 0 for no limit."),
]
