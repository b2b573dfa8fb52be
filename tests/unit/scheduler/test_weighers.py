"""Weighers: their values, and normalization to weights."""

import random

import pytest

from cinder_lite.jobs.pool_capacity import Pool, Request
from cinder_lite.scheduler.backend_functions import goodness
from cinder_lite.scheduler.plugins import WEIGHERS
from cinder_lite.scheduler.weighers import Weigher, weigh


def pool(name, **fields):
    return Pool("node1", "lvm", name, **{"total_gb": 1000} | fields)


def order(pools, *weighers, request=None):
    ranked = weigh(pools, request or Request(1), weighers, random.Random(1))
    return [(one.pool.pool, round(one.weight, 3)) for one in ranked]


def named(name, multiplier=None):
    weigher = WEIGHERS[name]
    return weigher if multiplier is None else Weigher(name, weigher.measure, multiplier)


FREE = [pool("a", free_gb=100), pool("b", free_gb=300), pool("c", free_gb=200)]


@pytest.mark.parametrize(
    ("pools", "weigher", "expected"),
    [
        (FREE, named("CapacityWeigher"), [("b", 1), ("c", 0.5), ("a", 0)]),
        (FREE, named("CapacityWeigher", 3), [("b", 3), ("c", 1.5), ("a", 0)]),
        (FREE, named("CapacityWeigher", -1), [("a", 0), ("c", -0.5), ("b", -1)]),
        (FREE, named("CapacityWeigher", 0), [("a", 0), ("b", 0), ("c", 0)]),
        # unknown is -1, and the last choice whichever the sign
        (
            [pool("x", free_gb="unknown"), pool("y", free_gb=0), pool("z", free_gb=99)],
            named("CapacityWeigher"),
            [("z", 1), ("y", 0.01), ("x", 0)],
        ),
        (
            [pool("x", free_gb="infinite"), pool("y", free_gb=0), pool("z", free_gb=99)],
            named("CapacityWeigher", -1),
            [("y", 0), ("z", -0.99), ("x", -1)],
        ),
        ([pool("x", free_gb="infinite"), pool("y", free_gb="unknown")], named("CapacityWeigher"), [("x", 0), ("y", 0)]),
        (
            [pool("a", allocated_gb=10), pool("b", allocated_gb=0), pool("c", allocated_gb=20)],
            named("AllocatedCapacityWeigher"),
            [("b", 0), ("a", -0.5), ("c", -1)],
        ),
        (
            [pool("a", volume_count=4), pool("b", volume_count=1), pool("c", volume_count=5)],
            named("VolumeNumberWeigher"),
            [("b", 0), ("a", -0.75), ("c", -1)],
        ),
        (
            [pool(name, capabilities={"goodness_function": text}) for name, text in zip("abc", ("25", "100", "50"))],
            named("GoodnessWeigher"),
            [("b", 1), ("c", 0.333), ("a", 0)],
        ),
        ([], named("CapacityWeigher"), []),
        (FREE[:1], named("CapacityWeigher"), [("a", 0)]),
    ],
)
def test_each_weigher(pools, weigher, expected):
    assert order(pools, weigher) == expected


def test_thin_pools_weigh_provisionable_and_thick_requests_free_capacity():
    pools = [pool("thick", free_gb=500), pool("thin", free_gb=100, thin=True, max_over_subscription_ratio="10")]
    assert order(pools, named("CapacityWeigher")) == [("thin", 1), ("thick", 0)]
    thick = Request(1, extra_specs={"provisioning:type": "thick"})
    assert order(pools, named("CapacityWeigher"), request=thick) == [("thick", 1), ("thin", 0)]


def test_weights_are_summed_and_detailed():
    pools = [pool("a", free_gb=100, volume_count=0), pool("b", free_gb=200, volume_count=9)]
    ranked = weigh(pools, Request(1), (named("CapacityWeigher", 2), named("VolumeNumberWeigher")), random.Random(1))
    assert [(one.pool.pool, one.weight) for one in ranked] == [("b", 1.0), ("a", 0.0)]
    assert [(d.weigher, d.value, d.share, d.weight) for d in ranked[0].details] == [
        ("CapacityWeigher", 200, 1, 2),
        ("VolumeNumberWeigher", 9, 1, -1),
    ]


def test_equal_pools_keep_their_order_and_no_weighers_keep_all():
    same = [pool(name, free_gb=5) for name in "cab"]
    assert [name for name, _ in order(same, named("CapacityWeigher"))] == ["c", "a", "b"]
    assert [name for name, _ in order(same)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("function", "value", "note"),
    [
        ("50 + volume.size", 60, ""),
        ("volume.size < 100", 100, ""),
        ("volume.size > 100", 0, ""),
        (None, 0, "it has no goodness_function"),
        ("101", 0, "gave 101.0, not a number from 0 to 100"),
        ("-1", 0, "gave -1.0, not a number from 0 to 100"),
        ("stats.total_capacity_gb * 0", 0, ""),
        ("'fine'", 0, "gave 'fine', not a number"),
        ("1e400 - 1e400", 0, "gave nan, not a number"),
        ("volume.color", 0, "has no value: at character 1: volume has no 'color'"),
    ],
)
def test_goodness(function, value, note):
    found = goodness(pool("a", capabilities={"goodness_function": function}), Request(10), None)
    assert found[0] == value
    assert note in found[1] and bool(note) is bool(found[1])


def test_chance_follows_the_generator():
    pools = [pool(str(number), free_gb=5) for number in range(10)]
    orders = {
        tuple(one.pool.pool for one in weigh(pools, Request(1), (named("ChanceWeigher"),), random.Random(seed)))
        for seed in (1, 1, 2, 3)
    }
    assert len(orders) == 3


def test_a_measure_that_is_not_finite_counts_as_unknown():
    weigher = Weigher("Odd", lambda pool, request, rng: (float("inf") if pool.pool == "a" else 3, ""))
    assert order([pool("a"), pool("b")], weigher) == [("b", 1), ("a", 0)]
