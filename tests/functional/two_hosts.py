"""Runs all services of one host and the volume service of another, whose configuration file OTHER_HOST names."""

from cinder_lite import concurrency

concurrency.patch()

import os

from cinder_lite import conf as configuration
from cinder_lite.api import listener
from cinder_lite.db import migrate
from cinder_lite.service import daemon, process
from cinder_lite.service.api import ApiService
from cinder_lite.service.backup import BackupService
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService
from cinder_lite.service.volume import VolumeService


@daemon.entry_point("cinder-lite-all")
def main(conf):
    sock = listener.listen(conf)
    shared = process.Process(conf, INTERFACES)
    migrate.sync(shared.db)
    other = process.Process(configuration.load([], files=[os.environ["OTHER_HOST"]]), INTERFACES)
    # Messages in memory reach both hosts.
    other.transport = shared.transport
    daemon.Daemon(conf, [VolumeService(shared), VolumeService(other), SchedulerService(shared), BackupService(shared),
                         ApiService(shared, sock)]).run()


if __name__ == "__main__":
    main()
