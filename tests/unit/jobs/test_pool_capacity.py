"""The free capacity of a pool: bounds, filter and weigher compute the same value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinder_lite.jobs import pool_facts
from cinder_lite.jobs.pool_capacity import Bounds, Pool, Request, amount, bounds, ratio, virtual_free
from cinder_lite.scheduler import filters

THICK = {"provisioning:type": "thick"}


def pool(**fields):
    return Pool("node1", "lvm", "vg", **fields)


def test_host_strings():
    assert pool().name == "node1@lvm#vg"
    assert pool().service_host == "node1@lvm"


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5.0), (5.25, 5.25), ("7.5", 7.5), ("infinite", None), ("unknown", None), (None, None), (float("inf"), None)],
)
def test_amount(value, number):
    assert amount(value) == number


def test_facts_have_the_published_names_and_capabilities_do_not_override_measurements():
    one = pool(total_gb=10, free_gb=4, thin=True, capabilities={"vendor_name": "Acme", "free_capacity_gb": 99})
    facts = pool_facts.facts(one)
    assert facts["vendor_name"] == "Acme"
    assert facts["volume_backend_name"] == "lvm"
    assert facts["free_capacity_gb"] == 4
    assert facts["total_capacity_gb"] == 10
    assert facts["thin_provisioning_support"] is True
    assert pool_facts.facts(pool(capabilities={"volume_backend_name": "gold"}))["volume_backend_name"] == "gold"


@pytest.mark.parametrize(
    ("fields", "thin", "expected"),
    [
        ({"thin": False}, True, 1.0),
        ({"thin": True}, False, 1.0),
        ({"thin": True}, True, 20.0),
        ({"thin": True, "max_over_subscription_ratio": "1.5"}, True, 1.5),
        ({"thin": True, "max_over_subscription_ratio": 3}, True, 3.0),
        ({"thin": True, "max_over_subscription_ratio": "lots"}, True, None),
        ({"thin": True, "max_over_subscription_ratio": "auto", "total_gb": 100, "free_gb": 100}, True, 20.0),
        (
            {"thin": True, "max_over_subscription_ratio": "auto", "total_gb": 100, "free_gb": 51, "provisioned_gb": 75},
            True,
            2.5,
        ),
        ({"thin": True, "max_over_subscription_ratio": "auto", "free_gb": 50, "provisioned_gb": 75}, True, 20.0),
    ],
)
def test_ratio(fields, thin, expected):
    assert ratio(pool(**fields), thin) == expected


THIN_POOL = {"total_gb": 100, "free_gb": 40, "thin": True, "max_over_subscription_ratio": "2"}


@pytest.mark.parametrize(
    ("fields", "request_", "expected"),
    [
        ({"total_gb": 100, "free_gb": 60, "provisioned_gb": 40}, Request(10), Bounds(10, 100, 10, 10)),
        (
            {"total_gb": 105, "free_gb": 60, "reserved_percentage": 10},
            Request(10),
            Bounds(10, 95, 10, 10),
        ),
        (THIN_POOL, Request(10), Bounds(10, 200, 5, 0)),
        (THIN_POOL | {"reserved_percentage": 10}, Request(10), Bounds(10, 180, 5, 0)),
        (THIN_POOL, Request(10, extra_specs=THICK), Bounds(10, 100, 10, 10)),
        (THIN_POOL, Request(10, extra_specs={"provisioning:type": "thin"}), Bounds(10, 200, 5, 0)),
        # 100 x 1.15 is 114.99999999999999 in floating point.
        (THIN_POOL | {"max_over_subscription_ratio": "1.15"}, Request(115), Bounds(115, 115, 100, 0)),
        ({"total_gb": "unknown", "free_gb": 60}, Request(10), Bounds(10, None, 10, 10)),
        ({"total_gb": 100, "free_gb": "infinite"}, Request(10), Bounds(10)),
        ({"total_gb": "infinite", "free_gb": "unknown", "reserved_percentage": 5}, Request(10), Bounds(10)),
        ({"total_gb": 100, "free_gb": 0}, Request(0), Bounds()),
        ({"total_gb": 100, "free_gb": 0}, Request(10, "retype", existing_pool="node1@lvm#vg"), Bounds()),
        ({"total_gb": 100, "free_gb": 20}, Request(10, "retype", existing_pool="node1@lvm#x"), Bounds(10, 100, 10, 10)),
    ],
)
def test_bounds(fields, request_, expected):
    assert bounds(pool(**fields), request_) == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"free_gb": None}, "has not reported its capacity"),
        ({"total_gb": None, "free_gb": 5}, "has not reported its capacity"),
        ({"total_gb": 0, "free_gb": 0}, "total capacity is 0 GiB"),
        ({"total_gb": "infinite", "free_gb": 5, "reserved_percentage": 10}, "10 % of it cannot be kept in reserve"),
        (THIN_POOL | {"max_over_subscription_ratio": "0.5"}, "max_over_subscription_ratio is '0.5'"),
        (THIN_POOL | {"max_over_subscription_ratio": "much"}, "max_over_subscription_ratio is 'much'"),
    ],
)
def test_pools_that_take_nothing(fields, words):
    found = bounds(pool(**fields), Request(1))
    assert words in found.refused
    assert not found.admit(pool(**fields))
    assert virtual_free(pool(**fields), thin=True) == 0


@pytest.mark.parametrize(
    ("fields", "thin", "expected"),
    [
        ({"total_gb": 100, "free_gb": 60, "provisioned_gb": 30}, False, 60),
        ({"total_gb": 100, "free_gb": 90, "provisioned_gb": 30}, False, 70),
        ({"total_gb": 100, "free_gb": 90, "provisioned_gb": 30, "reserved_percentage": 10}, False, 60),
        ({"total_gb": 100, "free_gb": 90, "provisioned_gb": 130}, False, 0),
        (THIN_POOL | {"provisioned_gb": 150}, True, 50),
        (THIN_POOL | {"provisioned_gb": 20}, True, 80),
        (THIN_POOL | {"provisioned_gb": 20}, False, 40),
        (THIN_POOL | {"free_gb": 0}, True, 0),
        ({"total_gb": "unknown", "free_gb": 7}, False, 7),
        ({"total_gb": 100, "free_gb": "unknown"}, False, None),
    ],
)
def test_virtual_free(fields, thin, expected):
    assert virtual_free(pool(**fields), thin) == expected


whole = st.integers(0, 2000)
fractions = st.floats(0, 2000, allow_nan=False)
capacities = st.one_of(whole, fractions, st.sampled_from(["infinite", "unknown", None, "37.5"]))
any_pool = st.builds(
    pool,
    total_gb=capacities,
    free_gb=capacities,
    provisioned_gb=st.one_of(whole, fractions),
    reserved_percentage=st.integers(0, 100),
    max_over_subscription_ratio=st.one_of(
        st.sampled_from(["auto", "much", "20.0"]), st.floats(0.5, 30).map(str), st.integers(1, 20)
    ),
    thin=st.booleans(),
)
any_request = st.builds(
    Request, size=st.integers(0, 3000), extra_specs=st.sampled_from([{}, THICK, {"provisioning:type": "thin"}])
)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(any_pool, any_request)
def test_the_filter_admits_exactly_what_the_bounds_admit(one, request):
    found = bounds(one, request)
    admitted = found.refused is None
    if found.provisioned_limit is not None:
        admitted = admitted and one.provisioned_gb + found.take <= found.provisioned_limit
    if found.free_needed is not None:
        admitted = admitted and float(one.free_gb) >= found.free_needed
    assert (filters.capacity(one, request) is None) is admitted


@settings(derandomize=True, max_examples=500, deadline=None)
@given(any_pool, any_request)
def test_a_pool_that_passes_has_the_capacity(one, request):
    free = virtual_free(one, request.thin)
    if filters.capacity(one, request) is None and request.size and free is not None:
        assert free >= request.size - 1e-4
    if free is not None and request.size and free < request.size - 1e-4:
        assert filters.capacity(one, request) is not None


@settings(derandomize=True, max_examples=300, deadline=None)
@given(any_pool, st.lists(st.integers(1, 300), max_size=30))
def test_repeated_claims_never_exceed_the_limit(one, sizes):
    """Repeats the UPDATE of the scheduler many times between two reports."""
    provisioned, free = one.provisioned_gb, amount(one.free_gb)
    for size in sizes:
        found = bounds(one, Request(size))
        if found.refused or found.provisioned_limit is None or free is None:
            continue
        if provisioned + found.take <= found.provisioned_limit and free >= found.free_needed:
            provisioned, free = provisioned + found.take, free - found.free_taken
            assert provisioned <= found.provisioned_limit
            assert free >= 0
