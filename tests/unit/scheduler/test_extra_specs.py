"""The operators of extra specs, and which keys are evaluated."""

import pytest

from cinder_lite.scheduler.extra_specs import match, unmet


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        # no operator
        ("gold", "gold", True),
        ("gold", "golden", False),
        ("gold", "Gold", False),
        (10, "10", True),
        (True, "True", True),
        (True, "true", False),
        ("two words", "two words", True),
        ("", "", True),
        ("x", "", False),
        ("=>", "=>", True),
        # = is at least
        (10, "= 10", True),
        (11, "= 10", True),
        (9, "= 10", False),
        ("10.5", "= 10", True),
        # the other numeric ones
        (10, "== 10.0", True),
        (11, "== 10", False),
        (11, "!= 10", True),
        (10, "!= 10", False),
        (10, ">= 10", True),
        (9, ">= 10", False),
        ("9", "<= 10", True),
        (11, "<= 10", False),
        (123, ">=  \t 100", True),
        # what is not a number fails, whichever the operator
        ("infinite", ">= 10", False),
        ("abc", "!= 10", False),
        (10, "== abc", False),
        (10, "= 10 20", False),
        ({}, "= 1", False),
        # text
        ("b", "s== b", True),
        ("b", "s== c", False),
        ("b", "s!= c", True),
        ("b", "s!= b", False),
        ("b", "s< c", True),
        ("c", "s< c", False),
        ("c", "s<= c", True),
        ("d", "s<= c", False),
        ("d", "s> c", True),
        ("c", "s> c", False),
        ("c", "s>= c", True),
        ("b", "s>= c", False),
        (1234, "s== 1234", True),
        ("9", "s> 10", True),
        ("Open Source", "s== Open Source", True),
        # part of
        ("12311321", "<in> 11", True),
        ("12310321", "<in> 11", False),
        ("ceph and more", "<in> and", True),
        # truth
        (True, "<is> True", True),
        (False, "<is> True", False),
        (False, "<is> False", True),
        ("on", "<is> yes", True),
        ("True", "<is> true", True),
        ("whatever", "<is> false", True),
        # one of
        ("iSCSI", "<or> ceph <or> iSCSI", True),
        ("nvme", "<or> ceph <or> iSCSI", False),
        ("Open Source", "<or> Acme <or> Open Source", True),
        ("ceph", "<or> ceph", True),
        (10, "<or> 9 <or> 10", True),
        ("ceph", "<or>", False),
        # an operator alone
        (10, "=", False),
        ("x", "s!=", False),
        (True, "<is>", False),
        # null
        (None, None, True),
        (None, "None", False),
        ("None", None, False),
        (None, "<is> False", False),
    ],
)
def test_match(value, wanted, expected):
    assert match(value, wanted) is expected


FACTS = {
    "volume_backend_name": "lvm",
    "multiattach": False,
    "storage_protocol": ["iSCSI", "iscsi"],
    "free_capacity_gb": 37,
    "qos": {"limits": {"iops": 5000}},
    "nothing": None,
}


@pytest.mark.parametrize(
    "extra_specs",
    [
        {},
        {"volume_backend_name": "lvm"},
        {"capabilities:volume_backend_name": "lvm", "capabilities:free_capacity_gb": ">= 30"},
        {"capabilities:qos:limits:iops": "= 4000"},
        {"storage_protocol": "iSCSI"},
        {"storage_protocol": "<in> scsi"},
        {"provisioning:type": "thick", "RESKEY:availability_zones": "a,b", "vendor:anything": "x"},
        {"nothing": None},
        {"absent": None},
    ],
)
def test_specs_that_are_met(extra_specs):
    assert unmet(FACTS, extra_specs) is None


@pytest.mark.parametrize(
    ("extra_specs", "reason"),
    [
        (
            {"volume_backend_name": "gold"},
            "extra spec volume_backend_name asks for 'gold', the pool has 'lvm'",
        ),
        ({"multiattach": "<is> True"}, "extra spec multiattach asks for '<is> True', the pool has False"),
        ({"zstd": "<is> True"}, "extra spec zstd asks for '<is> True', the pool does not report zstd"),
        ({"nothing": "x"}, "extra spec nothing asks for 'x', the pool does not report nothing"),
        ({"capabilities:qos:limits:bytes": "1"}, "does not report qos:limits:bytes"),
        ({"capabilities:multiattach:deeper": "1"}, "does not report multiattach:deeper"),
        ({"storage_protocol": "ceph"}, "the pool has ['iSCSI', 'iscsi']"),
        ({"volume_backend_name": "lvm", "free_capacity_gb": ">= 38"}, "asks for '>= 38', the pool has 37"),
    ],
)
def test_specs_that_are_not_met(extra_specs, reason):
    assert unmet(FACTS, extra_specs).endswith(reason)
