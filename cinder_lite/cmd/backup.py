"""cinder-lite-backup: backs volumes up and restores them."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.backup.service import BackupService  # noqa: E402
from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process  # noqa: E402


@process.daemon("cinder-lite-backup")
def main(conf):
    shown = metrics.listen(conf, "backup")
    shared = process.Process(conf)
    migrate.expect_current(shared)
    shared.show_metrics(shown)
    daemon.Daemon(conf, [BackupService(shared)]).run()


if __name__ == "__main__":
    main()
