"""cinder-lite-api: serves the REST API."""

from cinder_lite import concurrency

concurrency.patch(collect_garbage=False)

from oslo_config import cfg

from cinder_lite.api import listener
from cinder_lite.db import drivers
from cinder_lite.observe import metrics
from cinder_lite.service import daemon, supervisor, workers
from cinder_lite.service.api import ApiService

PROG = "cinder-lite-api"


@daemon.entry_point(PROG)
def main(conf: cfg.ConfigOpts) -> None:
    handed = supervisor.handed(PROG)
    if handed is None:
        sock = listener.listen(conf)
        metrics_sock = metrics.listen(conf, "api", conf.osapi_volume_workers)
    else:
        sock, metrics_sock = handed["api"], handed.get("metrics")
        for line in handed["log"]:
            workers.LOG.error(line)

    def build() -> daemon.Daemon:
        return daemon.build(conf, metrics_sock, lambda shared: ApiService(shared, sock))

    if handed is not None or conf.osapi_volume_workers == 1:
        build().run()
    else:
        # All workers need the database driver and taskflow: imported before the fork, they share the memory.
        from cinder_lite.volume.flows import api_create  # noqa: F401

        drivers.import_driver(conf.database)
        sockets = {"api": sock, "metrics": metrics_sock}
        workers.run(PROG, conf.osapi_volume_workers, build, {name: one for name, one in sockets.items() if one})


if __name__ == "__main__":
    main()
