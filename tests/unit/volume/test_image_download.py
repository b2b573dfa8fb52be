"""Disk space for image conversion, and cleanup of its files."""

import types

import pytest

from cinder_lite.jobs import outcomes
from cinder_lite.volume.jobs import image_download


def test_space_is_allocated_before_it_is_needed(tmp_path):
    image_download.allocate(str(tmp_path / "some"), 1_000_000)
    assert (tmp_path / "some").stat().st_blocks * 512 >= 1_000_000
    with pytest.raises(outcomes.Refused, match=f"image_conversion_dir {tmp_path} has no space for the {2**60} bytes"):
        image_download.allocate(str(tmp_path / "too much"), 2**60)
    assert [one.name for one in tmp_path.iterdir()] == ["some"]


@pytest.mark.parametrize(("error", "failed", "kept"), [
    (None, False, False), (ValueError, False, False), (outcomes.Interrupted, False, True),
    (outcomes.Interrupted, True, False)])
def test_files_are_kept_only_for_resuming(tmp_path, error, failed, kept):
    conf = types.SimpleNamespace(image_conversion_dir=str(tmp_path / "conversion"))
    work = types.SimpleNamespace(has_failed=lambda: failed, job=types.SimpleNamespace(id="1"))
    path = tmp_path / "conversion" / "1.qcow2"
    try:
        with image_download.conversion_files(conf, work, "qcow2") as (here, raw):
            assert (here, raw) == (str(path), f"{path}.raw")
            path.touch()
            if error is not None:
                raise error
    except (ValueError, outcomes.Interrupted):
        pass
    assert path.exists() == kept


def test_zeros_are_written_only_over_data():
    done = []
    target = types.SimpleNamespace(sync=None, write=lambda at, data: done.append(("write", at, len(data))),
                                   zero=lambda begin, end: done.append(("zero", begin, end)))
    data = bytes(1024**2) + b"x" * 65536 + bytes(1024**2)
    image_download._VolumeSink(target, is_zero=True).write(100, data)
    assert done == [("write", 100 + 1024**2, 65536)]
    done.clear()
    image_download._VolumeSink(target, is_zero=False).write(100, data)
    assert done == [("zero", 100, 100 + 1024**2), ("write", 100 + 1024**2, 65536),
                    ("zero", 100 + 1024**2 + 65536, 100 + 2 * 1024**2 + 65536)]
