"""Options of all services: names, paths, heartbeats, jobs."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.HostAddressOpt("my_ip", default="127.0.0.1",
                           help="Address of this host, for use in other options as $my_ip."),
        cfg.StrOpt("host", sample_default="<the host's name>",
                   help="Name of this host in service and pool names. It must not change while the host has volumes."),
        cfg.StrOpt("state_path", default="/var/lib/cinder", help="Directory of all files that the services keep."),
        cfg.StrOpt("storage_availability_zone", default="nova", help="Availability zone of this host's services."),
        cfg.StrOpt("default_availability_zone",
                   help="Availability zone of volumes that are created without one. Default: any zone."),
        cfg.BoolOpt("allow_availability_zone_fallback", default=False,
                    help="Use the default zone when the requested one does not exist, instead of refusing the "
                         "request."),
        cfg.IntOpt("report_interval", default=10, min=1, help="Seconds between two heartbeats of a service."),
        cfg.IntOpt("service_down_time", default=60, min=2, mutable=True,
                   help="Age of the last heartbeat, in seconds, at which a service is considered down."),
        cfg.IntOpt("job_lease", default=30, min=3,
                   help="Seconds after its last heartbeat for which a worker keeps its claims on jobs."),
        cfg.FloatOpt("job_sweep_interval", default=2, min=0.1,
                     help="Seconds between two searches for jobs that no message has announced."),
        cfg.IntOpt("job_max_attempts", default=5, min=1, mutable=True,
                   help="Number of attempts after which a job fails and its resource is set to an error status."),
        cfg.IntOpt("job_retention", default=86400, min=0, mutable=True,
                   help="Seconds for which finished jobs are kept."),
        cfg.IntOpt("message_ttl", default=2592000, min=0, mutable=True,
                   help="Seconds for which user messages are kept."),
        cfg.IntOpt("graceful_timeout", default=60, min=0, mutable=True,
                   help="Seconds for which a service that is stopped waits for running work; the rest is handed back."),
        cfg.IntOpt("rpc_reply_timeout", default=60, min=1, help="Seconds to wait for the reply of another service."),
        cfg.IntOpt("rpc_max_waiting", default=20, min=1, max=1000,
                   help="Maximum number of requests of one process that wait for the reply of one service, such as "
                        "that of a backend; four times as many for all services. Further ones are refused at once."),
    ],
}
