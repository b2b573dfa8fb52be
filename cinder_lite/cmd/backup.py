"""cinder-lite-backup: backs up and restores volumes."""

from cinder_lite import concurrency

concurrency.patch()

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process
from cinder_lite.service.backup import BackupService
from cinder_lite.service.interfaces import INTERFACES


@daemon.entry_point("cinder-lite-backup")
def main(conf: cfg.ConfigOpts) -> None:
    metrics_sock = metrics.listen(conf, "backup")
    shared = process.Process(conf, INTERFACES)
    shared.wait_for_schema()
    shared.serve_metrics(metrics_sock)
    daemon.Daemon(conf, [BackupService(shared)]).run()


if __name__ == "__main__":
    main()
