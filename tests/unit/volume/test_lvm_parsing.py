"""Parsing of the output of LVM 2.03.16."""

import pytest

from cinder_lite.volume.drivers.lvm import commands, parsing
from cinder_lite.volume.drivers.lvm.thick import lost

ROWS = """\
                  {"lv_name":"_snapshot-1", "lv_size":"1073741824", "lv_attr":"Vwi---tz-k", "origin":"volume-1", \
"origin_size":"", "pool_lv":"vg-pool", "data_percent":"", "metadata_percent":"", "lv_metadata_size":"", \
"lv_health_status":"", "lv_tags":""},
                  {"lv_name":"_snapshot-3", "lv_size":"1082130432", "lv_attr":"swi-a-s---", "origin":"volume-3", \
"origin_size":"1073741824", "pool_lv":"", "data_percent":"1.95", "metadata_percent":"", "lv_metadata_size":"", \
"lv_health_status":"", "lv_tags":"cinder-lite-size=1073741824"},
                  {"lv_name":"_snapshot-4", "lv_size":"8388608", "lv_attr":"swi-I-s---", "origin":"volume-3", \
"origin_size":"1073741824", "pool_lv":"", "data_percent":"100.00", "metadata_percent":"", "lv_metadata_size":"", \
"lv_health_status":"", "lv_tags":""},
                  {"lv_name":"vg-pool", "lv_size":"4294967296", "lv_attr":"twi-aotz--", "origin":"", \
"origin_size":"", "pool_lv":"", "data_percent":"0.49", "metadata_percent":"12.01", "lv_metadata_size":"4194304", \
"lv_health_status":"", "lv_tags":""},
                  {"lv_name":"volume-1", "lv_size":"1073741824", "lv_attr":"Vwi-aotz--", "origin":"", \
"origin_size":"", "pool_lv":"vg-pool", "data_percent":"1.95", "metadata_percent":"", "lv_metadata_size":"", \
"lv_health_status":"", "lv_tags":""},
                  {"lv_name":"volume-3", "lv_size":"1073741824", "lv_attr":"owi-a-s---", "origin":"", \
"origin_size":"1073741824", "pool_lv":"", "data_percent":"", "metadata_percent":"", "lv_metadata_size":"", \
"lv_health_status":"", "lv_tags":"cinder-lite-part,other"}
"""
LVS = f"""\
  {{
      "report": [
          {{
              "lv": [
{ROWS}
              ]
          }}
      ]
  }}
"""
FULLREPORT = f"""\
  {{
      "report": [
          {{
              "vg": [
                  {{"vg_name":"vg", "vg_size":"10733223936", "vg_free":"4265607168", "vg_attr":"wz--n-", \
"vg_missing_pv_count":"0"}}
              ]
              ,
              "pv": [
                  {{"pv_name":"/dev/ubdb"}}
              ]
              ,
              "lv": [
{ROWS}
              ]
              ,
              "pvseg": [
                  {{"pvseg_start":"0"}},
                  {{"pvseg_start":"1"}}
              ]
              ,
              "seg": [
                  {{"lv_name":"volume-1"}}
              ]
          }}
      ]
  }}
"""


@pytest.fixture
def rows():
    return {row.name: row for row in parsing.rows(LVS)}


def test_kinds_of_logical_volumes(rows):
    kinds = {name: (row.is_pool, row.is_thin, row.is_cow) for name, row in rows.items()}
    thin, cow, thick = (False, True, False), (False, False, True), (False, False, False)
    assert kinds == {"_snapshot-1": thin, "_snapshot-3": cow, "_snapshot-4": cow, "vg-pool": (True, False, False),
                     "volume-1": thin, "volume-3": thick}


def test_states_of_logical_volumes(rows):
    assert [name for name, row in rows.items() if row.is_open] == ["vg-pool", "volume-1"]
    assert [name for name, row in rows.items() if not row.is_active] == ["_snapshot-1"]
    assert [name for name, row in rows.items() if row.is_lost] == ["_snapshot-4"]
    assert "_snapshot-4 has overflowed: more than 8 MiB of its volume changed" in lost(rows["_snapshot-4"])


def test_figures_of_logical_volumes(rows):
    pool, snapshot = rows["vg-pool"], rows["_snapshot-3"]
    assert (pool.size, pool.data_percent, pool.metadata_percent, pool.metadata_size) == (4 << 30, 0.49, 12.01, 4 << 20)
    assert (snapshot.size, snapshot.origin, snapshot.origin_size) == (1082130432, "volume-3", 1 << 30)
    assert rows["_snapshot-1"].data_percent is None


def test_tags(rows):
    assert rows["volume-3"].tags == {commands.PART, "other"}
    assert rows["_snapshot-3"].tag(commands.SIZE) == 1 << 30
    assert rows["_snapshot-4"].tag(commands.SIZE) is None
    assert rows["_snapshot-4"].tags == frozenset()


def test_a_complete_group():
    group = parsing.group(FULLREPORT)
    assert (group.size, group.free, group.attr, group.missing) == (10733223936, 4265607168, "wz--n-", 0)
    assert [row.name for row in group.rows] == ["_snapshot-1", "_snapshot-3", "_snapshot-4", "vg-pool", "volume-1",
                                                "volume-3"]
    assert group.row("volume-1").pool == "vg-pool"
    assert group.row("volume-2") is None


@pytest.mark.parametrize("sign, said", [
    (parsing.EXISTS, 'Logical Volume "volume-1" already exists in volume group "vg"'),
    (parsing.GONE, 'Failed to find logical volume "vg/gone"'),
    (parsing.GONE, "Logical volume gone not found in volume group vg."),
    (parsing.GONE, 'Existing logical volume "gone" not found in volume group "vg"'),
    (parsing.GONE, "Snapshot origin LV gone not found in Volume group vg."),
    (parsing.IN_USE, "Logical volume vg/volume-2 in use."),
    (parsing.SAME_SIZE, "New size (256 extents) matches existing size (256 extents)."),
    (parsing.SMALLER, "New size given (128 extents) not larger than existing size (256 extents)"),
    (parsing.GROUP_GONE, 'Volume group "gone" not found'),
])
def test_refusals(sign, said):
    signs = (parsing.EXISTS, parsing.GONE, parsing.IN_USE, parsing.SAME_SIZE, parsing.SMALLER, parsing.GROUP_GONE)
    assert [one for one in signs if one.search(said)] == [sign]


def test_error_output_is_one_line():
    assert parsing.error_message(
        "File descriptor 7 (/dev/mapper/vg-volume--2) leaked on lvremove invocation. Parent PID 726: /bin/bash\n"
        "  WARNING: Sum of all thin volume sizes (101.00 GiB) exceeds the size of thin pool vg/vg-pool.\n"
        '  Volume group "vg" has insufficient free space (1017 extents): 25600 required.\n') == (
        'Volume group "vg" has insufficient free space (1017 extents): 25600 required')
