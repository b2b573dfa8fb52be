"""cinder-lite-api: answers the REST API."""

from cinder_lite import concurrency

concurrency.patch()

from cinder_lite import db
from cinder_lite.api import service as api  # noqa: E402
from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.observe import metrics
from cinder_lite.service import daemon, process  # noqa: E402


@process.daemon("cinder-lite-api")
def main(conf):
    sock = api.listen(conf)
    shown = metrics.listen(conf, "api", conf.osapi_volume_workers)

    def worker():
        shared = process.Process(conf)
        migrate.expect_current(shared)
        shared.show_metrics(shown)
        return daemon.Daemon(conf, [api.ApiService(shared, sock)])

    if conf.osapi_volume_workers == 1:
        worker().run()
    else:
        # Every worker needs the database's driver at once and taskflow at its first create: imported here, they share it.
        from cinder_lite.volume.flows import api_create  # noqa: F401

        db.import_driver(conf.database)
        daemon.Workers(conf.osapi_volume_workers, worker).run()


if __name__ == "__main__":
    main()
