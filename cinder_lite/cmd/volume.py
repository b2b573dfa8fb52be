"""cinder-lite-volume: makes volumes on the backends."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process  # noqa: E402
from cinder_lite.volume.service import VolumeService  # noqa: E402


@process.daemon("cinder-lite-volume")
def main(conf):
    shown = metrics.listen(conf, "volume")
    shared = process.Process(conf)
    migrate.expect_current(shared)
    shared.show_metrics(shown)
    daemon.Daemon(conf, [VolumeService(shared)]).run()


if __name__ == "__main__":
    main()
