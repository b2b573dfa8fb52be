"""Options of metrics and traces."""

from oslo_config import cfg, types

PORTS = {"api": 9776, "scheduler": 9777, "volume": 9778, "backup": 9779, "all": 9776}
OPTIONS = {
    "metrics": [
        cfg.BoolOpt("enabled", default=False, help="Collect metrics and serve them to Prometheus."),
        cfg.StrOpt("address", default="127.0.0.1",
                   help="Address on which each process serves its metrics, at /metrics and without authentication; "
                        "names of hosts, backends and pools are among them. With a directory (/run/cinder), each "
                        "process uses a Unix socket in it, named after its service (api.metrics)."),
        cfg.Opt("ports", type=types.Dict(types.Integer(1, 65535)), default=PORTS,
                help="Port of each process, by the name of its service; services that are left out use their default."),
    ],
    "tracing": [
        cfg.BoolOpt("enabled", default=False,
                    help="Send spans of requests, jobs, messages and driver calls; requires cinder-lite[tracing]."),
        cfg.StrOpt("endpoint", default="http://127.0.0.1:4318/v1/traces",
                   help="URL of an OpenTelemetry collector that accepts OTLP over HTTP."),
    ],
}
