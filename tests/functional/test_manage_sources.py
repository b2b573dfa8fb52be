"""Commands do not create missing input files and databases, and do not overwrite existing output."""

import os

import pytest

from cinder_lite.cmd import manage
from tests.functional.installation import Installation

pytestmark = pytest.mark.once


@pytest.fixture
def empty(tmp_path):
    """An installation without a database."""
    return Installation(tmp_path)


def words_of(command):
    """The words of a command, with something for each argument that it needs."""
    words = list(command)
    for name, options in manage.COMMANDS[command][1]:
        if not name.startswith("-") and options.get("nargs") not in ("?", "*") or options.get("required"):
            value = str(options["choices"][0]) if options.get("choices") else "1"
            words += [name, value] if name.startswith("-") else [value]
    return words


@pytest.mark.parametrize("command", sorted(manage.COMMANDS), ids=" ".join)
def test_only_db_sync_creates_a_missing_database(empty, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    try:
        manage.main([*words_of(command), "--config-file", empty.conf_file])
    except SystemExit as ended:  # of an argument
        assert ended.code == 2
    assert os.path.exists(f"{empty.state}/cinder.sqlite") is (command == ("db", "sync"))


@pytest.mark.parametrize("source", ["sqlite:///{}/nosuch", "sqlite:///{}/no/such", "{}/nosuch.conf", "{}/cinders.conf"])
def test_a_missing_cinder_database_is_refused(here, tmp_path, capsys, source):
    (tmp_path / "cinders.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/nosuch\n")
    before = sorted(os.listdir(tmp_path))
    for flags in ([], ["--dry-run"]):
        status = manage.main(["import-cinder", "--from", source.format(tmp_path), *flags, "--config-file",
                              here.conf_file])
        assert status == 2 and "there is no file" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == before


def test_a_missing_export_file_is_reported(here, tmp_path, capsys):
    assert manage.main(["restore", str(tmp_path / "nosuch"), "--config-file", here.conf_file]) == 2
    assert "nosuch" in capsys.readouterr().err and not (tmp_path / "nosuch").exists()


@pytest.mark.parametrize("kind", ["file", "link to nowhere"])
def test_an_existing_file_is_overwritten_only_by_force(here, tmp_path, capsys, kind):
    file = tmp_path / "export"
    file.write_text("mine") if kind == "file" else file.symlink_to(tmp_path / "elsewhere")
    assert manage.main(["export", str(file), "--config-file", here.conf_file]) == 2
    assert f"{file} already exists" in capsys.readouterr().err
    assert file.is_symlink() or file.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.glob("export*")) == ["export"]
    assert manage.main(["export", str(file), "--force", "--config-file", here.conf_file]) == 0
    assert file.read_bytes()[:2] == b"\x1f\x8b" and not (tmp_path / "elsewhere").exists()
