"""Scheduling decisions: the chosen pool, the reasons of the others, external filters and weighers."""

import dataclasses
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.jobs.pool_capacity import Pool, Request, amount, bounds, virtual_free
from cinder_lite.scheduler.choose import KEPT, LISTED, choose
from cinder_lite.scheduler.explain import explain, for_members
from cinder_lite.scheduler.plugins import FILTERS, WEIGHERS, UnknownName, load_filters, load_weighers

DEFAULTS = load_filters(["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"])
BY_CAPACITY = load_weighers(["CapacityWeigher"])

POOLS = (
    Pool("n1", "lvm", "vg", total_gb=100, free_gb=37, provisioned_gb=63),
    Pool("n2", "lvm", "vg", total_gb=1000, free_gb=800, provisioned_gb=200),
    Pool("n3", "lvm", "vg", total_gb=1000, free_gb=900, provisioned_gb=100, availability_zone="west"),
    Pool("n4", "lvm", "vg", total_gb=1000, free_gb=1000, service_up=False),
    Pool("n5", "rbd", "vms", total_gb="unknown", free_gb="unknown", multiattach=True),
)


def names(decision):
    return [one.pool.name for one in decision.ranked]


def test_the_best_pool_is_first_and_each_other_has_a_reason():
    decision = choose(Request(500, zones=("nova",)), POOLS, DEFAULTS, BY_CAPACITY)
    assert names(decision) == ["n2@lvm#vg", "n5@rbd#vms"]
    assert [(one.pool, one.filter) for one in decision.refusals] == [
        ("n1@lvm#vg", "CapacityFilter"),
        ("n3@lvm#vg", "AvailabilityZoneFilter"),
        ("n4@lvm#vg", "ServiceFilter"),
    ]
    assert explain(decision.plain()) == [
        "create: 500 GiB requested in zone nova; 2 of 5 pools can take it",
        "1. n2@lvm#vg: weight 1 (CapacityWeigher 1 for 800)",
        "2. n5@rbd#vms: weight 0 (CapacityWeigher 0 for unknown (free capacity is infinite or unknown))",
        "n1@lvm#vg: refused by CapacityFilter: requested 500 GiB, free 37 GiB of 100 GiB",
        "n3@lvm#vg: refused by AvailabilityZoneFilter: requested zone nova, the pool is in west",
        "n4@lvm#vg: refused by ServiceFilter: volume service n4@lvm is down: it has sent no heartbeat in time",
    ]


def test_the_plain_form_survives_json_and_explains_the_same():
    decision = choose(Request(500), POOLS, DEFAULTS, BY_CAPACITY)
    assert explain(json.loads(json.dumps(decision.plain(), allow_nan=False))) == explain(decision.plain())


def test_no_pool_fits():
    decision = choose(Request(5000, "extend", only_pool="n1@lvm#vg"), POOLS[:2], DEFAULTS, BY_CAPACITY)
    assert decision.ranked == ()
    assert explain(decision.plain()) == [
        "extend: 5000 GiB requested; none of 2 pools can take it",
        "n1@lvm#vg: refused by CapacityFilter: requested 5000 GiB, free 37 GiB of 100 GiB",
        "n2@lvm#vg: refused by PlaceFilter: only n1@lvm#vg is possible",
    ]
    assert explain(choose(Request(1), (), DEFAULTS, BY_CAPACITY).plain()) == [
        "create: 1 GiB requested; no backend has reported a pool yet"
    ]


def test_options_cannot_disable_the_mandatory_filters():
    request = Request(1, only_backend="n4@lvm", only_because="the source is there")
    assert names(choose(request, POOLS, {}, ())) == []
    assert names(choose(Request(1, excluded=("n1@lvm#vg", "n2@lvm")), POOLS, {}, ())) == ["n3@lvm#vg", "n5@rbd#vms"]


def test_a_filter_that_is_always_on_may_be_named_too():
    checks = load_filters(["IgnoreAttemptedHostsFilter"])
    assert len(choose(Request(1, excluded=("n1@lvm",)), POOLS[:2], checks, ()).refusals) == 1


def test_types_ask_for_capabilities():
    decision = choose(Request(1, extra_specs={"multiattach": "<is> True"}), POOLS, DEFAULTS, BY_CAPACITY)
    assert names(decision) == ["n5@rbd#vms"]


def test_a_placement_names_a_bounded_number_of_pools():
    pools = [Pool(f"n{n}", "lvm", "vg", total_gb=1000, free_gb=n, service_up=n % 3 > 0) for n in range(300)]
    decision = choose(Request(1), pools, DEFAULTS, BY_CAPACITY, most=LISTED)
    whole = choose(Request(1), pools, DEFAULTS, BY_CAPACITY)
    assert decision.ranked == whole.ranked[:LISTED] and decision.refusals == whole.refusals
    plain = decision.plain()
    assert plain["unlisted"] == {"ranked": 200 - LISTED, "refusals": 100 - LISTED}
    assert "; 200 of 300 pools can take it" in explain(plain)[0] and len(explain(plain)) == 1 + 2 * LISTED
    assert "unlisted" not in for_members(plain)
    few = choose(Request(1), pools[:LISTED], DEFAULTS, BY_CAPACITY, most=LISTED)
    assert few.plain() == choose(Request(1), pools[:LISTED], DEFAULTS, BY_CAPACITY).plain()
    assert len(choose(Request(2000), pools, DEFAULTS, BY_CAPACITY, most=LISTED).plain()["refusals"]) == 300


def test_what_pools_keep_is_of_the_same_kind_of_request_alone():
    requests = [Request(size, zones=zones, extra_specs=specs, excluded=excluded, only_backend=only, hints=hints)
                for size in range(1, 500, 100) for zones in ((), ("nova",), ("other",))
                for specs in ({}, {"multiattach": "<is> True"}, {"provisioning:type": "thick"})
                for excluded in ((), ("n1@lvm",)) for only in (None, "n2@lvm")
                for hints in ({}, {"same_host": ["x"]})]
    checks = load_filters(["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter", "SameBackendFilter"])
    for filters in (DEFAULTS, checks):
        for request in requests * 2:
            fresh = [dataclasses.replace(pool) for pool in POOLS]
            assert choose(request, POOLS, filters, BY_CAPACITY) == choose(request, fresh, filters, BY_CAPACITY)
    assert all(len(pool.known) <= KEPT for pool in POOLS)


def test_multipliers_replace_the_defaults_of_weighers():
    weighers = load_weighers(["CapacityWeigher", "VolumeNumberWeigher"], {"CapacityWeigher": -2.0})
    assert [one.multiplier for one in weighers] == [-2.0, -1.0]
    assert names(choose(Request(1), POOLS[:2], DEFAULTS, weighers)) == ["n1@lvm#vg", "n2@lvm#vg"]


def test_every_built_in_loads():
    assert list(load_filters(FILTERS)) == list(FILTERS)
    assert [one.name for one in load_weighers(WEIGHERS)] == list(WEIGHERS)


def test_unknown_names():
    with pytest.raises(UnknownName, match="'ColorFilter' does not exist; there are AvailabilityZoneFilter, "):
        load_filters(["CapacityFilter", "ColorFilter"])
    with pytest.raises(UnknownName, match="'ColorWeigher' does not exist; there are CapacityWeigher, "):
        load_weighers(["ColorWeigher"])


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package that offers a filter and a weigher."""
    (tmp_path / "color_plugin.py").write_text(
        "def even(pool, request):\n"
        "    return None if pool.volume_count % 2 == 0 else f'{pool.volume_count} is odd'\n"
        "def count(pool, request, rng):\n"
        "    return pool.volume_count, 'counted'\n"
    )
    metadata = tmp_path / "color_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: color-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[cinder_lite.scheduler.filters]\nEvenFilter = color_plugin:even\nGoneFilter = color_plugin_gone:even\n"
        "[cinder_lite.scheduler.weighers]\nCountWeigher = color_plugin:count\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # What is installed is read once in a process.
    plugins._installed.cache_clear()
    yield
    plugins._installed.cache_clear()
    sys.modules.pop("color_plugin", None)


def test_filters_and_weighers_from_entry_points(plugin):
    pools = [Pool("n", "lvm", str(count), volume_count=count) for count in range(4)]
    checks, weighers = load_filters(["EvenFilter"]), load_weighers(["CountWeigher"], {"CountWeigher": 5})
    decision = choose(Request(1), pools, checks, weighers)
    assert names(decision) == ["n@lvm#2", "n@lvm#0"]
    assert explain(decision.plain())[1] == "1. n@lvm#2: weight 5 (CountWeigher 5 for 2 (counted))"
    assert [one.reason for one in decision.refusals] == ["1 is odd", "3 is odd"]


def test_a_plugin_that_cannot_be_imported_is_reported(plugin):
    with pytest.raises(errors.Misconfigured, match="color_plugin_gone"):
        load_filters(["GoneFilter"])


capacities = st.one_of(st.integers(0, 1000), st.floats(0, 1000), st.sampled_from(["infinite", "unknown", None]))
any_pools = st.lists(
    st.builds(
        Pool,
        host=st.sampled_from(["n1", "n2", "n3"]),
        backend=st.just("lvm"),
        pool=st.sampled_from(["a", "b"]),
        total_gb=capacities,
        free_gb=capacities,
        provisioned_gb=st.integers(0, 1500),
        allocated_gb=st.integers(0, 1000),
        reserved_percentage=st.integers(0, 50),
        max_over_subscription_ratio=st.sampled_from(["auto", "1.0", "20.0", "0.5"]),
        thin=st.booleans(),
        service_up=st.booleans(),
        volume_count=st.integers(0, 9),
    ),
    max_size=8,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(any_pools, st.integers(0, 1200), st.booleans())
def test_every_pool_is_ranked_or_refused_and_ranked_pools_have_the_capacity(pools, size, thick):
    request = Request(size, extra_specs={"provisioning:type": "thick"} if thick else {})
    decision = choose(request, pools, DEFAULTS, load_weighers(WEIGHERS))
    assert len(decision.ranked) + len(decision.refusals) == len(pools)
    for one in decision.ranked:
        assert one.pool.service_up
        assert bounds(one.pool, request).admit(one.pool)
        room, free = virtual_free(one.pool, request.thin), amount(one.pool.free_gb)
        if size and room is not None:
            assert room >= size - 1e-4
        if size and free is not None and (thick or not one.pool.thin):
            assert free >= size
    weights = [one.weight for one in decision.ranked]
    assert weights == sorted(weights, reverse=True)
    json.dumps(decision.plain(), allow_nan=False)
    assert explain(decision.plain())
