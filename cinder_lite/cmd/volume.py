"""cinder-lite-volume: manages volumes on the backends."""

from cinder_lite import concurrency

concurrency.patch()

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.volume import VolumeService


@daemon.entry_point("cinder-lite-volume")
def main(conf: cfg.ConfigOpts) -> None:
    metrics_sock = metrics.listen(conf, "volume")
    shared = process.Process(conf, INTERFACES)
    shared.wait_for_schema()
    shared.serve_metrics(metrics_sock)
    daemon.Daemon(conf, [VolumeService(shared)]).run()


if __name__ == "__main__":
    main()
