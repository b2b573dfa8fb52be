"""cinder-lite-scheduler: places volumes on pools."""

from cinder_lite import concurrency

concurrency.patch(collect_garbage=False)

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon
from cinder_lite.service.scheduler import SchedulerService


@daemon.entry_point("cinder-lite-scheduler")
def main(conf: cfg.ConfigOpts) -> None:
    daemon.build(conf, metrics.listen(conf, "scheduler"), SchedulerService, database_totals=True).run()


if __name__ == "__main__":
    main()
