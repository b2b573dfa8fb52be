"""Volumes over iSCSI: a real tgtd, with libiscsi of QEMU as the initiator."""

import dataclasses
import os
import socket
import subprocess

import pytest

from cinder_lite import concurrency
from cinder_lite.concurrency import native_threads
from cinder_lite.volume.targets import base, tgt, tgtadm, tgtd
from tests.contract import backends
from tests.contract.backends import MIB
from tests.contract.initiator import SIZE, busy, digest, digest_of, qemu, size_of, until, url, write
from tests.services.processes import free_port


def control_port():
    """A number that no other tgtd has: they go up to 32767."""
    return free_port()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    port = free_port()
    made = tgtd.TgtDaemon(f"127.0.0.1:{port}", control_port(), str(tmp_path_factory.mktemp("tgtd") / "log"))
    made.start()
    yield made
    made.stop()


def target_on(daemon, directory, **values):
    port = int(daemon.portal.rpartition(":")[2])
    options = backends.options(tgt.OPTIONS, **{"target_port": port, "tgt_control_port": daemon.control_port} | values)
    return tgt.TgtTarget(options, str(directory / "state"))


@pytest.fixture
def target(daemon, tmp_path):
    made = target_on(daemon, tmp_path)
    made.check()
    yield made
    for name in made.exported():
        made.remove(name)


def data_of(target, name, export):
    found = target.connection(name, export, {})
    assert found["driver_volume_type"] == "iscsi"
    return found["data"]


def test_written_data_is_in_the_file_and_is_read_back(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    data = data_of(target, name, target.export(name, path))
    assert digest_of(url(data), tmp_path) == digest(path) != digest(source)
    write(source, url(data))
    assert digest(path) == digest(source) == digest_of(url(data), tmp_path)


def test_connection_data_has_the_keys_of_os_brick(target, volume):
    name, path = volume()
    export = target.export(name, path)
    data = data_of(target, name, export)
    method, user, secret = export.auth.split()
    assert data == {
        "target_discovered": False, "target_portal": target.portals()[0], "target_lun": 1, "discard": True,
        "target_iqn": f"iqn.2010-10.org.openstack:{name}", "auth_method": "CHAP", "auth_username": user,
        "auth_password": secret}
    assert method == "CHAP" and len(user) == 20 and len(secret) == 16


def test_secondary_addresses_are_listed_for_multipath(daemon, target, volume, tmp_path):
    both = target_on(daemon, tmp_path, target_secondary_ip_addresses=["127.0.0.2", "::1"])
    name, path = volume()
    data = data_of(both, name, both.export(name, path))
    port = both.options.target_port
    assert data["target_portals"] == [f"127.0.0.1:{port}", f"127.0.0.2:{port}", f"[::1]:{port}"]
    assert data["target_iqns"] == [data["target_iqn"]] * 3
    assert data["target_luns"] == [1] * 3


def test_portals_open_when_access_is_enabled(daemon, volume, tmp_path):
    second = target_on(daemon, tmp_path, target_ip_address="127.0.0.3")
    second.check()
    name, path = volume()
    data = data_of(second, name, second.export(name, path))
    assert not qemu("info", "-f", "raw", url(data))[0]
    second.access_enabled = True
    for _ in range(2):
        second.check()
        assert digest_of(url(data), tmp_path) == digest(path)
    second.remove(name)


def test_a_portal_that_another_program_has_is_named(daemon, tmp_path):
    with socket.create_server(("127.0.0.4", 0)) as other:
        port = other.getsockname()[1]
        taken = target_on(daemon, tmp_path, target_ip_address="127.0.0.4", target_port=port)
        taken.access_enabled = True
        with pytest.raises(base.TargetError, match=f"tgtd cannot listen on 127.0.0.4:{port}"):
            taken.check()


def test_a_tgtd_with_a_separate_control_socket(tmp_path, monkeypatch, volume):
    socket_path = str(tmp_path / "socket")
    port = free_port()
    daemon = tgtd.TgtDaemon(f"127.0.0.1:{port}", control_port(), str(tmp_path / "log"))
    with monkeypatch.context() as patch:
        patch.setenv("TGT_IPC_SOCKET", socket_path)
        daemon.start()
    try:
        own = target_on(daemon, tmp_path, tgt_control_socket=socket_path)
        own.check()
        name, path = volume()
        assert digest_of(url(data_of(own, name, own.export(name, path))), tmp_path) == digest(path)
        with pytest.raises(base.TargetError, match="no tgtd answers"):
            target_on(daemon, tmp_path).check()
    finally:
        daemon.stop()


def test_a_failed_check_disables_access(tmp_path, volume):
    daemon = tgtd.TgtDaemon(f"127.0.0.1:{free_port()}", control_port(), str(tmp_path / "log"))
    target = target_on(daemon, tmp_path)
    target.access_enabled = True
    with pytest.raises(base.TargetError, match="no tgtd answers"):
        target.check()
    assert not target.access_enabled


@pytest.mark.parametrize("changes", [
    {"auth_password": "wrong" * 4}, {"auth_username": "nobody"}, {"auth_method": None}])
def test_a_wrong_secret_is_refused(target, volume, changes):
    name, path = volume()
    data = data_of(target, name, target.export(name, path))
    before = digest(path)
    done, said = qemu("info", "-f", "raw", url(data, **changes))
    assert not done and "uthentication" in said
    assert digest(path) == before


def test_a_secret_opens_one_volume_only(target, volume):
    (one, one_path), (two, two_path) = volume(), volume()
    mine = data_of(target, one, target.export(one, one_path))
    other = data_of(target, two, target.export(two, two_path))
    assert mine["auth_password"] != other["auth_password"]
    assert not qemu("info", "-f", "raw", url(mine, target_iqn=other["target_iqn"]))[0]


def test_without_chap_everyone_is_let_in(daemon, target, volume, tmp_path):
    opened = target_on(daemon, tmp_path, use_chap_auth=False)
    name, path = volume()
    export = opened.export(name, path)
    assert export.auth is None
    assert digest_of(url(data_of(opened, name, export)), tmp_path) == digest(path)


def test_one_user_and_secret_may_be_set_for_all(daemon, target, volume, tmp_path):
    shared = target_on(daemon, tmp_path, chap_username="cinder", chap_password="secretsecret1234")
    (one, one_path), (two, two_path) = volume(), volume()
    for name, path in ((one, one_path), (two, two_path)):
        export = shared.export(name, path)
        assert export.auth == "CHAP cinder secretsecret1234"
    shared.remove(one)
    assert digest_of(url(data_of(shared, two, export)), tmp_path) == digest(two_path)
    with pytest.raises(base.TargetError, match="chap_username is set without chap_password"):
        target_on(daemon, tmp_path, chap_username="cinder").check()


def test_exporting_again_changes_nothing_for_a_reader(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path)
    with busy(url(data_of(target, name, export)), tmp_path / "log") as reading:
        until(lambda: shown(target, name).in_use)
        before = connected(target, name)
        assert target.export(name, path, export) == export
        target.resize(name, path)
        assert connected(target, name) == before != []
        assert reading.poll() is None


def shown(target, name):
    return target._shown(target.options.target_prefix + name)


def connected(target, name):
    return tgtadm.connections(target._run(tgtadm.show_connections(shown(target, name).tid)))


def test_an_export_without_its_secret_is_created_again(target, volume):
    name, path = volume()
    lost, kept = target.export(name, path), target.export(name, path)
    assert lost.auth != kept.auth
    assert not qemu("info", "-f", "raw", url(data_of(target, name, lost)))[0]
    assert qemu("info", "-f", "raw", url(data_of(target, name, kept)))[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_an_export_that_was_cut_off_is_completed(target, volume, tmp_path, steps):
    name, path = volume()
    iqn = target.options.target_prefix + name
    export = base.Export(f"{target.portals()[0]},1 {iqn} 1", "CHAP someone secret0123456789")
    commands = [tgtadm.new_target(4000, iqn),
                tgtadm.new_account("someone", "anothersecret1234"), tgtadm.bind_account(4000, "someone"),
                tgtadm.new_lun(4000, path)]
    for command in commands[:steps]:
        target._run(command)
    assert target.export(name, path, export) == export
    assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)


def test_removing_while_an_initiator_reads_puts_it_out(target, volume, tmp_path):
    name, path = volume()
    address = url(data_of(target, name, target.export(name, path)))
    with busy(address, tmp_path / "log"), busy(address, tmp_path / "log2"):
        until(lambda: shown(target, name).in_use)
        target.remove(name)
        target.remove(name)
        assert target.exported() == {}
        assert not qemu("info", "-f", "raw", address)[0]
    target.check()


def test_after_tgtd_has_restarted_the_same_names_and_secrets_work(daemon, target, volume, tmp_path):
    made = {name: (path, target.export(name, path)) for name, path in (volume(), volume())}
    serials = {name: serial(target, name, export) for name, (_, export) in made.items()}
    daemon.stop()
    assert not daemon.alive()
    with pytest.raises(base.TargetError, match=f"no tgtd answers on control port {daemon.control_port}"):
        target.check()
    daemon.start()
    target.check()
    assert target.exported() == {}
    for name, (path, export) in reversed(made.items()):
        assert target.export(name, path, export) == export
        assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)
        assert serial(target, name, export) == serials[name] == name.removeprefix("volume-").replace("-", "")


def serial(target, name, export):
    done = subprocess.run(["iscsi-inq", "-e", "1", "-c", "128", url(data_of(target, name, export))], check=True,
                          capture_output=True, text=True)
    return done.stdout.partition("Unit Serial Number:[")[2].partition("]")[0].strip()


def test_many_are_exported_and_removed_at_once(target, volume, tmp_path):
    made = [volume(MIB, seed) for seed in range(20)]

    def export(one):
        return target.export(*one)

    exports = concurrency.in_thread(lambda: list(native_threads.map_in_threads(export, made, 10)))
    assert target.exported() == {name: True for name, _ in made}
    for (name, path), one in zip(made, exports):
        assert digest_of(url(data_of(target, name, one)), tmp_path) == digest(path)
    concurrency.in_thread(lambda: list(native_threads.map_in_threads(lambda one: target.remove(one[0]), made, 10)))
    assert target.exported() == {}


def test_growth_shows_at_the_next_login(target, volume):
    name, path = volume()
    export = target.export(name, path)
    os.truncate(path, 2 * SIZE)
    target.resize(name, path)
    assert size_of(url(data_of(target, name, export))) == 2 * SIZE


def test_growth_while_attached_shows_after_the_next_export(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path)
    address = url(data_of(target, name, export))
    with busy(address, tmp_path / "log"):
        until(lambda: shown(target, name).in_use)
        os.truncate(path, 2 * SIZE)
        target.resize(name, path)
    until(lambda: not shown(target, name).in_use)
    target.export(name, path, export)
    assert size_of(address) == 2 * SIZE


def test_another_file_in_its_place_shows_after_the_next_export(target, volume, tmp_path):
    name, path = volume(seed=1)
    export = target.export(name, path)
    os.rename(volume(seed=2)[1], path)
    target.export(name, path, export)
    assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)


def test_a_read_only_export_cannot_be_written(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    before = digest(path)
    export = target.export(name, path, read_only=True)
    address = url(data_of(target, name, export))
    assert digest_of(address, tmp_path) == before
    assert not qemu("convert", "-n", "-f", "raw", "-O", "raw", source, address)[0]
    assert digest(path) == before
    target.export(name, path, export)
    write(source, address)
    assert digest(path) == digest(source)


def test_discarded_blocks_become_holes(target, volume):
    name, path = volume()
    address = url(data_of(target, name, target.export(name, path)))
    before = os.stat(path).st_blocks
    subprocess.run(["qemu-io", "-f", "raw", "-d", "unmap", "-c", f"discard 0 {8 * MIB}", address], check=True,
                   capture_output=True)
    assert os.stat(path).st_blocks * 512 <= before * 512 - 7 * MIB


def test_backends_that_share_a_tgtd_do_not_see_each_other(daemon, target, volume, tmp_path):
    (tmp_path / "two").mkdir()
    other = target_on(daemon, tmp_path / "two")
    (one, one_path), (two, two_path) = volume(), volume()
    target.export(one, one_path)
    other.export(two, two_path)
    assert (target.exported(), other.exported()) == ({one: True}, {two: True})
    other.remove(two)


def test_errors_hold_no_secret(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path)
    secret = export.auth.split()[2]
    with pytest.raises(base.TargetError) as refused:
        target._run(tgtadm.new_account(export.auth.split()[1], secret))
    error = refused.value
    assert str(error) == "tgtd refused 'new account': this account already exists"
    assert error.__cause__ is None and error.__context__ is None
    assert secret not in repr(dataclasses.astuple(shown(target, name)))
    with pytest.raises(base.TargetError, match="No such file"):
        target.export(name, str(tmp_path / "gone"), export)


def test_a_running_daemon_is_used_by_a_later_run(daemon):
    later = tgtd.TgtDaemon(daemon.portal, daemon.control_port)
    later.start()
    assert later.alive() and later._pid() == daemon._pid()


def test_a_portal_in_use_is_reported(daemon):
    blocked = tgtd.TgtDaemon(daemon.portal, control_port())
    with pytest.raises(base.TargetError, match=f"cannot listen on {daemon.portal}: Address already in use"):
        blocked.start()
    assert not blocked.alive()


def test_a_control_port_in_use_is_reported(daemon):
    blocked = tgtd.TgtDaemon(f"127.0.0.1:{free_port()}", daemon.control_port)
    with pytest.raises(base.TargetError, match=f"another tgtd uses control port {daemon.control_port}"):
        blocked.start()
    assert daemon.alive()
