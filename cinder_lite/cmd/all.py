"""cinder-lite-all: runs the four services in one process, by default with SQLite and an in-memory message bus."""

from cinder_lite import concurrency

concurrency.patch(collect_garbage=False)

from oslo_config import cfg

from cinder_lite.api import listener
from cinder_lite.db import migrate
from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process
from cinder_lite.service.api import ApiService
from cinder_lite.service.backup import BackupService
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService
from cinder_lite.service.volume import VolumeService


@daemon.entry_point("cinder-lite-all")
def main(conf: cfg.ConfigOpts) -> None:
    sock = listener.listen(conf)
    metrics_sock = metrics.listen(conf, "all")
    shared = process.Process(conf, INTERFACES)
    migrate.sync(shared.db)
    shared.serve_metrics(metrics_sock, database_totals=True)
    # The API comes last, when the others can process the requests that it accepts.
    daemon.Daemon(conf, [VolumeService(shared), SchedulerService(shared), BackupService(shared),
                         ApiService(shared, sock)]).run()


if __name__ == "__main__":
    main()
