"""cinder-lite-volume: manages volumes on the backends."""

from cinder_lite import concurrency

concurrency.patch(collect_garbage=False)

from oslo_config import cfg

from cinder_lite.observe import metrics
from cinder_lite.service import daemon
from cinder_lite.service.volume import VolumeService


@daemon.entry_point("cinder-lite-volume")
def main(conf: cfg.ConfigOpts) -> None:
    daemon.build(conf, metrics.listen(conf, "volume"), VolumeService).run()


if __name__ == "__main__":
    main()
