"""cinder-lite-scheduler: places volumes on pools."""

from cinder_lite import concurrency

concurrency.patch()

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService


@daemon.entry_point("cinder-lite-scheduler")
def main(conf: cfg.ConfigOpts) -> None:
    metrics_sock = metrics.listen(conf, "scheduler")
    shared = process.Process(conf, INTERFACES)
    shared.wait_for_schema()
    shared.serve_metrics(metrics_sock, database_totals=True)
    daemon.Daemon(conf, [SchedulerService(shared)]).run()


if __name__ == "__main__":
    main()
