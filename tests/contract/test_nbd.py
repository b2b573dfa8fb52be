"""Volumes over NBD: real qemu-nbd processes, with qemu-img as the client."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

from cinder_lite import concurrency
from cinder_lite.concurrency import native_threads
from cinder_lite.volume.targets import base, nbd
from tests.contract import backends
from tests.contract.backends import MIB
from tests.contract.initiator import SIZE, digest, digest_of, qemu, size_of, until, write


def target_on(directory, **values):
    return nbd.NbdTarget(backends.options(nbd.OPTIONS, **values), str(directory / "state"))


@pytest.fixture(params=["tcp", "unix"])
def target(request):
    with tempfile.TemporaryDirectory() as directory:  # tmp_path is too long for unix sockets
        made = target_on(pathlib.Path(directory), nbd_transport=request.param)
        made.check()
        yield made
        for name in made.exported():
            made.remove(name)


def uri(target, name, export):
    found = target.connection(name, export, {})
    assert found["driver_volume_type"] == "nbd"
    return found["data"]["uri"]


@contextlib.contextmanager
def busy(address):
    """A client that stays connected until the block ends."""
    with subprocess.Popen(["qemu-io", "-f", "raw", address], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"read 0 512\n")
        client.stdin.flush()
        until_read = client.stdout.readline()
        assert b"read" in until_read
        try:
            yield client
        finally:
            client.kill()


def pid_of(target, name):
    return target._process(name).pid


def test_written_data_is_in_the_file_and_is_read_back(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    address = uri(target, name, target.export(name, path))
    assert digest_of(address, tmp_path) == digest(path) != digest(source)
    write(source, address)
    assert digest_of(address, tmp_path) == digest(path) == digest(source)


def test_connection_data_names_the_place_and_its_parts(target, volume):
    name, path = volume()
    data = target.connection(name, target.export(name, path), {})["data"]
    if target.options.nbd_transport == "tcp":
        assert data == {"uri": f"nbd://127.0.0.1:{data['port']}/{name}", "transport": "tcp", "host": "127.0.0.1",
                        "port": data["port"], "export": name, "discard": True}
        assert data["port"] in range(10810, 14810)
    else:
        socket_path = os.path.join(target.state_path, f"{name}.sock")
        assert data == {"uri": f"nbd+unix:///{name}?socket={socket_path}", "transport": "unix", "export": name,
                        "socket_path": socket_path, "discard": True}


def test_an_export_outlives_the_service_and_is_found_again(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path)
    pid = pid_of(target, name)
    later = nbd.NbdTarget(target.options, target.state_path)
    assert later.exported() == {name: True}
    assert later.export(name, path, export) == later.export(name, path) == export
    assert pid_of(later, name) == pid
    later.remove(name)
    assert later.exported() == target.exported() == {}
    assert not qemu("info", "-f", "raw", uri(target, name, export))[0]
    later.remove(name)


def test_a_dead_export_is_restarted_at_the_same_address(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path)
    process = target._process(name)
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: process.ended)
    assert target.exported() == {}
    assert target.export(name, path, export) == export
    assert digest_of(uri(target, name, export), tmp_path) == digest(path)


def test_removing_ends_nothing_but_its_own_process(target, volume):
    name, path = volume()
    target.export(name, path)
    own = pid_of(target, name)
    with subprocess.Popen(["sleep", "600"]) as other:
        with open(os.path.join(target.state_path, f"{name}.pid"), "r+") as file:
            file.truncate()
            file.write(f"{other.pid}\n")
        assert target.exported() == {}
        target.remove(name)
        assert other.poll() is None
        other.kill()
    os.kill(own, signal.SIGTERM)


def test_removing_while_a_client_is_connected_puts_it_out(target, volume):
    name, path = volume()
    export = target.export(name, path)
    with busy(uri(target, name, export)):
        assert target._process(name).in_use
        target.remove(name)
        assert target.exported() == {}


def test_exporting_again_changes_nothing_for_a_client(target, volume):
    name, path = volume()
    export = target.export(name, path)
    pid = pid_of(target, name)
    with busy(uri(target, name, export)):
        os.truncate(path, 2 * SIZE)
        target.resize(name, path)
        assert target.export(name, path, export) == export
        assert pid_of(target, name) == pid
    until(lambda: not target._process(name).in_use)
    assert target.export(name, path, export) == export
    assert size_of(uri(target, name, export)) == 2 * SIZE


def test_a_new_size_or_file_is_exported_at_once_without_clients(target, volume, tmp_path):
    name, path = volume(seed=1)
    export = target.export(name, path)
    os.truncate(path, 2 * SIZE)
    target.resize(name, path)
    assert size_of(uri(target, name, export)) == 2 * SIZE
    os.rename(volume(seed=2)[1], path)
    assert target.export(name, path, export) == export
    assert digest_of(uri(target, name, export), tmp_path) == digest(path)


def test_a_read_only_export_cannot_be_written(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    before = digest(path)
    export = target.export(name, path, read_only=True)
    assert digest_of(uri(target, name, export), tmp_path) == before
    assert not qemu("convert", "-n", "-f", "raw", "-O", "raw", source, uri(target, name, export))[0]
    assert digest(path) == before
    assert target.export(name, path, export) == export
    write(source, uri(target, name, export))
    assert digest(path) == digest(source)


def test_discarded_blocks_become_holes(target, volume):
    name, path = volume()
    address = uri(target, name, target.export(name, path))
    before = os.stat(path).st_blocks
    subprocess.run(["qemu-io", "-f", "raw", "-d", "unmap", "-c", f"discard 0 {8 * MIB}", address], check=True,
                   capture_output=True)
    assert os.stat(path).st_blocks * 512 <= before * 512 - 7 * MIB


def test_many_are_exported_and_removed_at_once(target, volume, tmp_path):
    made = [volume(MIB, seed) for seed in range(20)]
    exports = concurrency.in_thread(
        lambda: list(native_threads.map_in_threads(lambda one: target.export(*one), made, 10)))
    assert target.exported() == {name: True for name, _ in made}
    for (name, path), export in zip(made, exports):
        assert digest_of(uri(target, name, export), tmp_path) == digest(path)
    concurrency.in_thread(lambda: list(native_threads.map_in_threads(lambda one: target.remove(one[0]), made, 10)))
    assert target.exported() == {}
    assert os.listdir(target.state_path) == []


def test_a_full_port_range_is_reported(tmp_path, volume):
    narrow = target_on(tmp_path, nbd_port_range="14997-14998")
    made = [volume(MIB) for _ in range(3)]
    for one in made[:2]:
        narrow.export(*one)
    with pytest.raises(base.TargetError, match="no port of nbd_port_range 14997-14998 is free on 127.0.0.1; widen it"):
        narrow.export(*made[2])
    for name, _ in made:
        narrow.remove(name)


@pytest.mark.parametrize(("values", "said"), [
    ({"nbd_port_range": "many"}, "has to be like 10810-14809"),
    ({"nbd_port_range": "9-8"}, "has to be like 10810-14809"),
    ({"target_ip_address": "192.0.2.7"}, "NBD has no authentication"),
])
def test_settings_that_cannot_be_are_refused(tmp_path, values, said):
    with pytest.raises(base.TargetError, match=said):
        target_on(tmp_path, **values).check()


def test_an_unprotected_address_must_belong_to_this_host(tmp_path):
    with pytest.raises(base.TargetError, match="198.51.100.7 is not an address of this host, which has .*127.0.0.1"):
        target_on(tmp_path, target_ip_address="198.51.100.7", nbd_unprotected=True).check()


def test_a_missing_device_is_reported(target, tmp_path):
    with pytest.raises(base.TargetError, match="cannot export .*gone: No such file"):
        target.export("volume-gone", str(tmp_path / "gone"))
