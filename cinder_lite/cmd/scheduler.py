"""cinder-lite-scheduler: decides where volumes go."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.observe import metrics
from cinder_lite.scheduler.service import SchedulerService  # noqa: E402
from cinder_lite.service import daemon, process  # noqa: E402


@process.daemon("cinder-lite-scheduler")
def main(conf):
    shown = metrics.listen(conf, "scheduler")
    shared = process.Process(conf)
    migrate.expect_current(shared)
    shared.show_metrics(shown, standing=True)
    daemon.Daemon(conf, [SchedulerService(shared)]).run()


if __name__ == "__main__":
    main()
