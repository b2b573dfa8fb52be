"""Options of metrics and traces."""

from oslo_config import cfg, types

PORTS = {"api": 9776, "scheduler": 9777, "volume": 9778, "backup": 9779, "all": 9776}
OPTIONS = {
    "metrics": [
        cfg.BoolOpt("enabled", default=False, help="Count and measure, for Prometheus."),
        cfg.StrOpt("address", default="127.0.0.1",
                   help="Address on which each process shows its metrics, at /metrics, to everybody who asks: names of hosts, "
                        "backends and pools are among them. A directory (/run/cinder) stands for a socket in it by the name "
                        "of the service (api.metrics)."),
        cfg.Opt("ports", type=types.Dict(types.Integer(1, 65535)), default=PORTS,
                help="The port of each process, by the name of its service; one that is left out has its default."),
    ],
    "tracing": [
        cfg.BoolOpt("enabled", default=False,
                    help="Send spans of requests, jobs, messages and drivers' calls; needs cinder-lite[tracing]."),
        cfg.StrOpt("endpoint", default="http://127.0.0.1:4318/v1/traces",
                   help="Where a collector of OpenTelemetry takes them, by OTLP over HTTP."),
    ],
}
