"""Runs one volume service, another member of a cluster, in a process of its own; it has messages with no other."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite.service import daemon, process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.volume import VolumeService


@daemon.entry_point("cinder-lite-volume")
def main(conf):
    daemon.Daemon(conf, [VolumeService(process.Process(conf, INTERFACES))]).run()


if __name__ == "__main__":
    main()
