"""The name, description, metadata and image that a restore gives to a volume, as in Cinder."""

import types

import pytest

from cinder_lite.backup import record
from cinder_lite.backup.cinder import chunked

HERE = {"src_backup_id": "b"}
WHOLE = {"name": "n", "description": "d", "metadata": {"k": "v"}, "image_metadata": {"min_disk": "1"}, "bootable": True}


def volume(**values):
    return types.SimpleNamespace(**{"id": "other", "name": None, "description": None, "metadata": {},
                                    "image_metadata": {},
                                    "bootable": False, **values})


def restored(kept, **values):
    before = volume(**values)
    after = {**vars(before), **record.columns(kept, types.SimpleNamespace(id="b", volume_id="origin"), before)}
    return tuple(after[name] for name in ("name", "description", "metadata", "image_metadata", "bootable"))


@pytest.mark.parametrize("kept,before,after", [
    # A new volume, and one that nobody has named.
    (WHOLE, {"name": "restore_backup_b", "description": record.DESCRIPTION},
     ("n", "d", {"k": "v", **HERE}, {"min_disk": "1"}, True)),
    (WHOLE, {"name": ""}, ("n", "d", {"k": "v", **HERE}, {"min_disk": "1"}, True)),
    ({**WHOLE, "description": None}, {"description": record.DESCRIPTION},
     ("n", None, {"k": "v", **HERE}, {"min_disk": "1"}, True)),
    # One that somebody has.
    (WHOLE, {"name": "mine", "description": "my"}, ("mine", "my", {"k": "v", **HERE}, {"min_disk": "1"}, True)),
    # A volume without a name has been backed up.
    ({**WHOLE, "name": None}, {"name": "restore_backup_b", "description": "x"},
     ("restore_backup_b", "x", {"k": "v", **HERE}, {"min_disk": "1"}, True)),
    # Nothing was recorded of what there was not: it stays.
    ({"name": "n", "description": "d", "metadata": {}, "image_metadata": {}, "bootable": False},
     {"metadata": {"mine": "1"}, "image_metadata": {"i": "j"}, "bootable": True},
     ("n", "d", {"mine": "1", **HERE}, {"i": "j"}, True)),
    ({}, {"name": "mine"}, ("mine", None, {**HERE}, {}, False)),
    # Over the volume that was backed up.
    (WHOLE, {"id": "origin", "name": "n", "metadata": {"gone": "1"}}, ("n", None, {"k": "v"}, {"min_disk": "1"}, True)),
    ({**WHOLE, "metadata": {"src_backup_id": "older"}}, {"id": "origin"},
     ("n", "d", {"src_backup_id": "b"}, {"min_disk": "1"}, True)),
    ({"metadata": {}}, {"id": "origin", "metadata": {"src_backup_id": "b"}},
     (None, None, {"src_backup_id": "b"}, {}, False)),
])
def test_columns(kept, before, after):
    assert restored(kept, **before) == after


def test_records_of_cinder():
    kept = {"version": 2, "volume-base-metadata": {"display_name": "n", "display_description": "d", "bootable": True},
            "volume-metadata": {"k": "v"}, "volume-glance-metadata": {"min_disk": "1"}}
    assert chunked.described(kept) == WHOLE
    assert restored(chunked.described(None), name="mine") == ("mine", None, {**HERE}, {}, False)
