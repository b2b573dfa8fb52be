"""cinder-lite-all: the four services in one process, over SQLite and messages in memory unless configured otherwise."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.api import service as api  # noqa: E402
from cinder_lite.backup.service import BackupService  # noqa: E402
from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.observe import metrics
from cinder_lite.scheduler.service import SchedulerService  # noqa: E402
from cinder_lite.service import daemon, process  # noqa: E402
from cinder_lite.volume.service import VolumeService  # noqa: E402


def services(shared, sock):
    """The four, in the order in which they start; the API comes last, when the others can do what it accepts."""
    return [VolumeService(shared), SchedulerService(shared), BackupService(shared), api.ApiService(shared, sock)]


@process.daemon("cinder-lite-all")
def main(conf):
    sock = api.listen(conf)
    shown = metrics.listen(conf, "all")
    shared = process.Process(conf)
    migrate.sync(shared.db)
    shared.show_metrics(shown, standing=True)
    daemon.Daemon(conf, services(shared, sock)).run()


if __name__ == "__main__":
    main()
