"""A file gets its final name only if there is no file of that name, also without hard links."""

import errno
import os

import pytest

from cinder_lite.blockio import naming


@pytest.fixture(params=[True, False])
def links(request, monkeypatch):
    if not request.param:
        def refuse(_path, _name):
            raise OSError(errno.EPERM, "no links")
        monkeypatch.setattr(os, "link", refuse)
    return request.param


def test_a_name_is_given_once(tmp_path, links):
    for text in ("first", "second"):
        (tmp_path / text).write_text(text)
    naming.name_new(str(tmp_path / "first"), str(tmp_path / "name"))
    with pytest.raises(FileExistsError):
        naming.name_new(str(tmp_path / "second"), str(tmp_path / "name"))
    assert (tmp_path / "name").read_text() == "first"
    assert (tmp_path / "first").exists() == links


def test_a_removed_file_gets_no_name(tmp_path, links):
    with pytest.raises(FileNotFoundError):
        naming.name_new(str(tmp_path / "removed"), str(tmp_path / "name"))
    assert os.listdir(tmp_path) == []
