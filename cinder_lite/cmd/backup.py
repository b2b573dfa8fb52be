"""cinder-lite-backup: backs up and restores volumes."""

from cinder_lite import concurrency

concurrency.patch(collect_garbage=False)

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon
from cinder_lite.service.backup import BackupService


@daemon.entry_point("cinder-lite-backup")
def main(conf: cfg.ConfigOpts) -> None:
    daemon.build(conf, metrics.listen(conf, "backup"), BackupService).run()


if __name__ == "__main__":
    main()
