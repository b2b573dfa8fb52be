"""Each filter: which pools pass, and the reason with numbers for those that do not."""

import dataclasses

import pytest

from cinder_lite.jobs.pool_capacity import Pool, Request
from cinder_lite.scheduler import backend_functions, filters, hint_filters, plugins

POOL = Pool("node1", "lvm", "vg", total_gb=100, free_gb=37, provisioned_gb=63)
THIN = dataclasses.replace(POOL, thin=True, provisioned_gb=150, max_over_subscription_ratio="2.0")
ONE, OTHER = "3e1a24d2-5c9c-4c35-9a3f-0f9b0c7c5a11", "9d0f2b86-0c4b-4d0e-8a6a-6d1b6f3f9d22"


def pool(base=POOL, **fields):
    return dataclasses.replace(base, **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"service_up": False}, "volume service node1@lvm is down: it has sent no heartbeat in time"),
        ({"service_disabled": True}, "volume service node1@lvm is disabled"),
        ({"frozen": True}, "volume service node1@lvm is frozen"),
        ({"backend_up": False, "backend_reason": "vg is missing"}, "the backend is down: vg is missing"),
        ({"backend_up": False}, "the backend is down: its driver gave no reason"),
    ],
)
def test_service(fields, reason):
    assert filters.service(pool(**fields), Request(1)) == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"only_backend": "node1@lvm"}, None),
        ({"only_pool": "node1@lvm#vg"}, None),
        ({"only_pool": "node1@lvm#vg", "only_backend": "node2@lvm"}, None),
        ({"only_backend": "node2@lvm"}, "only node2@lvm is possible"),
        (
            {"only_pool": "node1@lvm#fast", "only_because": "the snapshot is there"},
            "only node1@lvm#fast is possible: the snapshot is there",
        ),
        ({"only_pool": "node1@lvm"}, "only node1@lvm is possible"),
    ],
)
def test_place(fields, reason):
    assert filters.place(POOL, Request(1, **fields)) == reason


@pytest.mark.parametrize(
    ("excluded", "passes"),
    [((), True), (("node1@lvm",), False), (("node1@lvm#vg",), False), (("node1@lvm#x", "node1", "node2@lvm"), True)],
)
def test_ignore_attempted_hosts(excluded, passes):
    reason = filters.ignore_attempted_hosts(POOL, Request(1, excluded=excluded))
    assert reason == (None if passes else "it was tried already and failed")


@pytest.mark.parametrize(
    ("zones", "extra_specs", "reason"),
    [
        ((), {}, None),
        (("nova",), {}, None),
        (("a", "nova"), {}, None),
        (("a",), {}, "requested zone a, the pool is in nova"),
        (("a", "b"), {}, "requested zone a or b, the pool is in nova"),
        ((), {"RESKEY:availability_zones": "a, nova"}, None),
        ((), {"RESKEY:availability_zones": "a, b"}, "requested zone a or b, the pool is in nova"),
        (("nova",), {"RESKEY:availability_zones": "a"}, None),
    ],
)
def test_availability_zone(zones, extra_specs, reason):
    assert filters.availability_zone(POOL, Request(1, zones=zones, extra_specs=extra_specs)) == reason


THICK = {"provisioning:type": "thick"}


@pytest.mark.parametrize(
    ("one", "request_", "reason"),
    [
        (POOL, Request(37), None),
        (POOL, Request(500), "requested 500 GiB, free 37 GiB of 100 GiB"),
        (POOL, Request(38), "requested 38 GiB, free 37 GiB of 100 GiB"),
        (POOL, Request(38, "extend", existing_pool=None, only_pool=POOL.name),
         "requested 38 GiB, free 37 GiB of 100 GiB"),
        (POOL, Request(0), None),
        (POOL, Request(500, "retype", existing_pool="node1@lvm#vg"), None),
        (POOL, Request(500, "retype", existing_pool="node1@lvm#x"), "requested 500 GiB, free 37 GiB of 100 GiB"),
        (pool(free_gb=36.99999), Request(37), "requested 37 GiB, free 36.99 GiB of 100 GiB"),
        (
            pool(reserved_percentage=10),
            Request(28),
            "requested 28 GiB, free 27 GiB of 100 GiB (63 GiB of at most 90 GiB provisioned, 10 GiB in reserve)",
        ),
        (pool(reserved_percentage=10), Request(27), None),
        (
            pool(free_gb=80),
            Request(40),
            "requested 40 GiB, free 37 GiB of 100 GiB (63 GiB of at most 100 GiB provisioned)",
        ),
        (THIN, Request(50), None),
        (
            THIN,
            Request(51),
            "requested 51 GiB, free 50 GiB of 100 GiB (150 GiB of at most 200 GiB provisioned, over-subscribed 2 "
            "times)",
        ),
        (
            pool(THIN, free_gb=10),
            Request(21),
            "requested 21 GiB, free 20 GiB of 100 GiB (10 GiB really free, over-subscribed 2 times)",
        ),
        (pool(THIN, free_gb=10), Request(20), None),
        (pool(THIN, provisioned_gb=90), Request(10, extra_specs=THICK), None),
        (
            pool(THIN, provisioned_gb=90),
            Request(11, extra_specs=THICK),
            "requested 11 GiB, free 10 GiB of 100 GiB (90 GiB of at most 100 GiB provisioned)",
        ),
        (
            pool(THIN, max_over_subscription_ratio="0.9"),
            Request(1),
            "requested 1 GiB, max_over_subscription_ratio is '0.9'; it can be 'auto' or at least 1",
        ),
        # auto: 1 + 150 / (63 + 1) = 3.34
        (pool(THIN, max_over_subscription_ratio="auto"), Request(120), None),
        (
            pool(THIN, max_over_subscription_ratio="auto"),
            Request(190),
            "requested 190 GiB, free 123.71 GiB of 100 GiB (37 GiB really free, over-subscribed 3.344 times)",
        ),
        (pool(free_gb="infinite"), Request(10**6), None),
        (pool(free_gb="unknown", total_gb="unknown", reserved_percentage=10), Request(10**6), None),
        (pool(total_gb="infinite"), Request(37), None),
        (pool(total_gb="unknown"), Request(38), "requested 38 GiB, free 37 GiB of an unknown total"),
        (
            pool(total_gb="unknown", reserved_percentage=5),
            Request(1),
            "requested 1 GiB, its total capacity is unknown, so 5 % of it cannot be kept in reserve",
        ),
        (pool(total_gb=0, free_gb=0), Request(1), "requested 1 GiB, its total capacity is 0 GiB"),
        (pool(free_gb=None), Request(1), "requested 1 GiB, it has not reported its capacity yet"),
    ],
)
def test_capacity(one, request_, reason):
    assert filters.capacity(one, request_) == reason


@pytest.mark.parametrize(
    ("fields", "request_", "reason"),
    [
        ({}, Request(1), None),
        ({"multiattach": True}, Request(1, extra_specs={"multiattach": "<is> True"}), None),
        (
            {},
            Request(1, extra_specs={"multiattach": "<is> True"}),
            "extra spec multiattach asks for '<is> True', the pool has False",
        ),
        ({"thin": True}, Request(1, extra_specs={"capabilities:thin_provisioning_support": "<is> True"}), None),
        ({"online_extend": False}, Request(1, "extend"), None),
        ({"online_extend": False}, Request(1, "create", attached=True), None),
        (
            {"online_extend": False},
            Request(1, "extend", attached=True),
            "the volume is attached, and the backend can extend only detached volumes",
        ),
        ({"online_extend": True}, Request(1, "extend", attached=True), None),
    ],
)
def test_capabilities(fields, request_, reason):
    assert filters.capabilities(pool(**fields), request_) == reason


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (None, None),
        ("", None),
        ("volume.size <= 10", None),
        ("stats.free_capacity_gb > 30 and capabilities.total_volumes < 5", None),
        ("extra.iops >= 100 and qos.maxIOPS > 5 and volume.name == 'db'", None),
        ("stats.host == 'node1@lvm#vg'", None),
        ("volume.size < 10", "its filter_function 'volume.size < 10' is not true"),
        (
            "volume.sise < 10",
            "its filter_function 'volume.sise < 10' has no value: "
            "at character 1: volume has no 'sise'; it has name, size",
        ),
        (
            "volume.size <",
            "its filter_function 'volume.size <' has no value: at character 14: expected a value, found the end",
        ),
    ],
)
def test_driver(function, reason):
    request = Request(10, extra_specs={"iops": "500"}, qos_specs={"maxIOPS": "6"}, volume={"name": "db"})
    assert backend_functions.is_admitted(pool(capabilities={"filter_function": function}), request) == reason


@pytest.mark.parametrize(
    ("named", "same", "different"),
    [
        (None, None, None),
        ([], None, None),
        (ONE, None, f"hint different_host: volume {ONE} is here"),
        ([OTHER, ONE], None, f"hint different_host: volume {ONE} is here"),
        ([OTHER], "hint same_host: none of the named volumes is here", None),
        (
            "00000000-0000-0000-0000-000000000000",
            "hint same_host: none of the named volumes is here",
            None,
        ),
        ("db", "hint same_host: 'db' is not the id of a volume", "hint different_host: 'db' is not the id of a volume"),
        (
            [ONE, {}],
            "hint same_host: '{}' is not the id of a volume",
            "hint different_host: '{}' is not the id of a volume",
        ),
    ],
)
def test_same_and_different_backend(named, same, different):
    hosts = {ONE: "node1@lvm#vg", OTHER: "node1@lvm#fast"}
    assert hint_filters.same_backend(POOL, Request(1, hints={"same_host": named}, volume_hosts=hosts)) == same
    request = Request(1, hints={"different_host": named}, volume_hosts=hosts)
    assert hint_filters.different_backend(POOL, request) == different


def test_a_volume_whose_host_has_no_pool_is_on_every_pool_of_the_backend():
    request = Request(1, hints={"same_host": ONE}, volume_hosts={ONE: "node1@lvm"})
    assert hint_filters.same_backend(POOL, request) is None


@pytest.mark.parametrize(
    ("server", "instance_host", "reason"),
    [
        (None, None, None),
        (ONE, "node1", None),
        (ONE, "node2", f"hint local_to_instance: server {ONE} is on node2, the pool on node1"),
        (ONE, None, f"hint local_to_instance: the hypervisor of server {ONE} is not known"),
        ("web", "node1", "hint local_to_instance: 'web' is not the id of a server"),
    ],
)
def test_instance_locality(server, instance_host, reason):
    request = Request(1, hints={"local_to_instance": server}, instance_host=instance_host)
    assert hint_filters.instance_locality(POOL, request) == reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (None, None),
        ("", None),
        ('[">=", "$free_capacity_gb", 30]', None),
        (["=", "$capabilities.vendor_name", "Acme"], None),
        (["=", "$availability_zone", "nova"], None),
        ('[">=", "$free_capacity_gb", 1024]', "hint query is not true for this pool"),
        ('["~", 1]', "hint query: '~' is not an operator; there are = < > <= >= in not or and"),
    ],
)
def test_json(query, reason):
    one = pool(capabilities={"vendor_name": "Acme"})
    assert hint_filters.json_filter(one, Request(1, hints={"query": query})) == reason


def test_the_table_has_the_published_names():
    assert set(plugins.FILTERS) == {
        "AvailabilityZoneFilter",
        "CapacityFilter",
        "CapabilitiesFilter",
        "DriverFilter",
        "SameBackendFilter",
        "DifferentBackendFilter",
        "InstanceLocalityFilter",
        "JsonFilter",
        "IgnoreAttemptedHostsFilter",
    }
