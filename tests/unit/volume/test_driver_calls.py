"""The label `call` of the metric driver_call_seconds keeps its values when methods are renamed."""

import inspect

import pytest

from cinder_lite.volume import driver_calls
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets

#: The methods of drivers and targets that are called through driver_calls.call, by their published labels.
LABELS = {
    "activate", "activate_snapshot", "addresses", "adopt", "adopt_snapshot", "apply_qos", "check", "cipher", "clean_up",
    "clear", "clone", "clone_image", "connection", "create", "create_snapshot", "deactivate", "delete",
    "delete_snapshot", "disconnect", "exists", "export", "exported", "extend", "foreign_snapshots", "foreign_volumes",
    "from_snapshot", "inspect", "join", "lost_snapshots", "pools", "remove", "replication_targets", "resize", "revert",
    "tend",
}
#: Methods that are called directly.
NOT_MEASURED = {"check_connector", "content", "name_of", "names", "new_auth", "path", "present", "sharing",
                "snapshot_content", "snapshot_path", "usable"}


class Meter:
    def __init__(self):
        self.seen = []

    def observe(self, name, seconds, *labels):
        self.seen.append((name, *labels))


def methods():
    """The names of all public methods that the protocols of drivers and targets define."""
    classes = [one for module in (drivers, targets) for one in vars(module).values()
               if inspect.isclass(one) and one.__module__ == module.__name__ and inspect.isabstract(one)]
    return {name for one in classes for name, value in vars(one).items()
            if inspect.isfunction(value) and not name.startswith("_")}


def test_every_method_has_its_published_label():
    assert {driver_calls.LABELS.get(name, name) for name in methods()} - NOT_MEASURED == LABELS


def test_a_renamed_method_is_measured_by_its_published_label():
    class Driver:
        backend, meter = "file-1", Meter()

        def run_maintenance(self):
            pass

        def pools(self):
            raise drivers.DriverError("down")

    driver = Driver()
    driver_calls.call(driver.run_maintenance)
    with pytest.raises(drivers.DriverError):
        driver_calls.call(driver.pools)
    assert driver.meter.seen == [("driver_call_seconds", "file-1", "tend", "done"),
                                 ("driver_call_seconds", "file-1", "pools", "failed")]
