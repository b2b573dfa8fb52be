"""Options of all services: names, paths, heartbeats, jobs."""

from oslo_config import cfg

OPTIONS = {
    "DEFAULT": [
        cfg.HostAddressOpt("my_ip", default="127.0.0.1", help="Address of this host on the network of the services."),
        cfg.StrOpt("host", sample_default="<the host's name>",
                   help="Name of this host in service and pool names; must stay the same while volumes lie on it."),
        cfg.StrOpt("state_path", default="/var/lib/cinder", help="Directory of everything that the services keep."),
        cfg.StrOpt("storage_availability_zone", default="nova", help="Availability zone of this host's services."),
        cfg.StrOpt("default_availability_zone", help="Zone of volumes that ask for none. Default: any zone."),
        cfg.BoolOpt("allow_availability_zone_fallback", default=False,
                    help="Use the default zone when the one asked for does not exist, instead of refusing."),
        cfg.IntOpt("report_interval", default=10, min=1, help="Seconds between heartbeats of a service."),
        cfg.IntOpt("service_down_time", default=60, min=2, mutable=True,
                   help="A service whose last heartbeat is older than so many seconds is down."),
        cfg.IntOpt("job_lease", default=30, min=3,
                   help="A worker's claim on a job ends so many seconds after its last heartbeat."),
        cfg.FloatOpt("job_sweep_interval", default=2, min=0.1,
                     help="Seconds between looks for jobs that nobody was woken for."),
        cfg.IntOpt("job_max_attempts", default=5, min=1, mutable=True,
                   help="A job whose worker died so many times is given up and its resource set to error."),
        cfg.IntOpt("job_retention", default=86400, min=0, mutable=True, help="Seconds for which finished jobs are kept."),
        cfg.IntOpt("message_ttl", default=2592000, min=0, mutable=True, help="Seconds for which user messages are kept."),
        cfg.IntOpt("graceful_timeout", default=60, min=0, mutable=True,
                   help="Seconds that a service waits on SIGTERM for what it runs; then it hands the rest back."),
        cfg.IntOpt("rpc_reply_timeout", default=60, min=1, help="Seconds to wait for another service's answer."),
        cfg.IntOpt("rpc_max_waiting", default=20, min=1,
                   help="Requests of one process that wait for the answer of one service, such as that of a backend, at a time, "
                        "and four times as many for all services together. Further ones are refused at once, so that a backend "
                        "that hangs does not hold up requests to others."),
    ],
}
