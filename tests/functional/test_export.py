"""Export and restore of the control plane: all rows, no secrets, refusal of incomplete files."""

import gzip
import os
import signal
import subprocess
import sys

import orjson
import pytest
import sqlalchemy as sa

from cinder_lite.cmd import manage
from cinder_lite.db import export, migrate
from tests.functional import everything
from tests.functional.installation import Installation

pytestmark = pytest.mark.once


def emptied(directory, connection=None):
    """An installation as db sync leaves it."""
    directory.mkdir(exist_ok=True)
    made = Installation(directory, connection)
    migrate.sync(made.db)
    return made


@pytest.fixture
def here(tmp_path):
    made = emptied(tmp_path / "here")
    yield made
    made.db.dispose()


@pytest.fixture
def there(tmp_path):
    made = emptied(tmp_path / "there")
    yield made
    made.db.dispose()


@pytest.fixture
def run(capsys):
    """Run the command at an installation: (exit status, standard output, standard error)."""
    def run(where, *words):
        status = manage.main([*words, "--config-file", where.conf_file])
        return status, *capsys.readouterr()
    return run


def test_all_rows_are_restored_and_sequences_continue(here, there, run, tmp_path):
    everything.fill(here.db, 3)
    file = str(tmp_path / "export")
    status, out, _ = run(here, "export", file)
    assert status == 0 and out.endswith(f"Wrote {file}, without passwords and keys.\n")
    assert os.stat(file).st_mode & 0o777 == 0o600
    status, out, error = run(there, "restore", file)
    assert status == 0, error
    assert list(export.rows(there.db)) == list(export.rows(here.db))
    assert there.add("services", uuid="u", binary="b", host="h") is None
    assert len(there.rows("services")) == 4


def test_only_an_empty_database_is_filled(here, there, run, tmp_path):
    everything.fill(here.db, 1)
    file = str(tmp_path / "export")
    run(here, "export", file)
    before = list(export.rows(here.db))
    status, _, error = run(here, "restore", file)
    assert status == 2 and "is not empty" in error and list(export.rows(here.db)) == before
    assert run(there, "restore", file)[0] == 0
    assert run(there, "restore", file)[0] == 2


def _cut(text):
    return text[:-20]


def _without_end(text):
    return gzip.compress(b"\n".join(gzip.decompress(text).splitlines()[:-1]))


def _without_a_row(text):
    lines = gzip.decompress(text).splitlines()
    return gzip.compress(b"\n".join(lines[:2] + lines[3:]))


def _later(text):
    head, *lines = gzip.decompress(text).splitlines()
    return gzip.compress(b"\n".join([orjson.dumps({**orjson.loads(head), "revision": "9999"}), *lines]))


def _flipped(at):
    """Turn the bit that lies at this part of the file."""
    def spoil(text):
        place = int(len(text) * at)
        return text[:place] + bytes((text[place] ^ 4,)) + text[place + 1:]

    return spoil


def _misread(text):
    """A bit that is stored unchanged, so that it is visible in the rows."""
    plain = bytearray(gzip.decompress(text))
    plain[plain.index(b'"volumes"') + 1] ^= 1
    packed = bytearray(gzip.compress(bytes(plain)))
    packed[-8:-4] = text[-8:-4]  # the checksum that was written
    return bytes(packed)


@pytest.mark.parametrize("spoil,said", [
    (_cut, "is not a complete export"), (_without_end, "rows are missing"), (_without_a_row, "rows are missing"),
    (_later, "of revision 9999"), *((_flipped(at / 16), "is not a complete export") for at in range(1, 16)),
    (_misread, "is not a complete export: CRC check failed"), (lambda text: b"hello", "is not a complete export"),
    (lambda text: gzip.compress(b"{}"), "is not an export of cinder-lite")])
def test_an_incomplete_file_changes_nothing(here, there, run, tmp_path, spoil, said):
    everything.fill(here.db, 3)
    file = tmp_path / "export"
    run(here, "export", str(file))
    file.write_bytes(spoil(file.read_bytes()))
    before = list(export.rows(there.db))
    status, _, error = run(there, "restore", str(file))
    assert status == 2 and said in error
    assert list(export.rows(there.db)) == before


@pytest.mark.parametrize("spoil", [_cut, _misread, *(_flipped(at / 16) for at in range(1, 16))])
def test_an_incomplete_file_writes_no_settings(here, there, run, tmp_path, spoil):
    everything.fill(here.db, 3)
    file = tmp_path / "export"
    run(here, "export", str(file))
    file.write_bytes(spoil(file.read_bytes()))
    status, out, error = run(there, "restore", str(file), "--settings", str(tmp_path / "etc"))
    assert status == 2 and not out and "is not a complete export" in error and not (tmp_path / "etc").exists()


def test_a_database_of_a_later_release_is_not_exported_by_half(here, run, tmp_path):
    with here.db.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    status, _, error = run(here, "export", str(tmp_path / "export"))
    assert status == 2 and "9999" in error and not (tmp_path / "export").exists()


@pytest.mark.parametrize("with_secrets", [False, True])
def test_settings_come_back_with_or_without_secrets(here, there, run, tmp_path, with_secrets):
    users = tmp_path / "htpasswd"
    users.write_text("ann:hash\n")
    with open(here.conf_file, "a") as file:
        file.write(f"target_password = open sesame\n[DEFAULT]\nhttp_basic_auth_user_file = {users}\n"
                   "transport_url = rabbit://me:sesame@127.0.0.1/\n[keystone_authtoken]\npassword=sesame\n")
    file, directory = str(tmp_path / "export"), tmp_path / "etc"
    assert run(here, "export", file, *["--with-secrets"] * with_secrets)[0] == 0
    status, out, _ = run(there, "restore", file, "--settings", str(directory))
    assert status == 0 and ("replace each <hidden> with its value" in out) is not with_secrets
    text = (directory / "cinder.conf").read_text()
    assert f"state_path = {here.state}" in text and ("sesame" in text) is with_secrets
    assert (directory / "htpasswd").exists() is with_secrets
    assert all(os.stat(path).st_mode & 0o777 == 0o600 for path in directory.iterdir())
    assert run(there, "restore", file, "--settings", str(directory))[0] == 2


def test_an_export_that_is_killed_leaves_the_one_before(here, run, tmp_path):
    everything.fill(here.db, 3)
    file = tmp_path / "export"
    run(here, "export", str(file))
    before = file.read_bytes()
    # The file to be written is a pipe that nobody reads: the export is stopped in the middle.
    os.mkfifo(f"{file}.part")
    running = subprocess.Popen([sys.executable, "-m", "cinder_lite.cmd.manage", "export", str(file), "--force",
                                "--config-file", here.conf_file])
    with open(f"{file}.part", "rb"):
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert file.read_bytes() == before
    os.unlink(f"{file}.part")
    assert run(here, "export", str(file), "--force")[0] == 0
