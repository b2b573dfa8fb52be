"""Volumes over iSCSI by LIO in the kernel, with libiscsi as the initiator."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import pytest

from cinder_lite.host import privsep
from cinder_lite.volume.targets import base, lio
from tests.contract import backends, initiator
from tests.contract.backends import MIB
from tests.contract.initiator import SIZE, digest, digest_of, qemu, size_of, until, url, write
from tests.services.processes import free_port
from tests.storage import lvm

TREE = pathlib.Path("/sys/kernel/config/target")
#: The initiator's name of qemu, and of another host.
MINE, OTHER = "iqn.2008-11.org.linux-kvm", "iqn.2026-01.org.kernel-lab:other"
CONNECTOR = {"initiator": MINE}
#: The audit events of what changes configfs.
CHANGES = {"os.mkdir", "os.rmdir", "os.symlink", "os.remove", "open"}


def target_with(directory, **values):
    options = backends.options(lio.OPTIONS, **{"target_port": free_port(), **values})
    made = lio.LioTarget(options, str(directory / "state"))
    made.check()
    return made


@pytest.fixture(scope="module", autouse=True)
def kernel():
    lvm.run("modprobe", "target_core_mod")


@pytest.fixture
def target(tmp_path):
    """A target; after the test, it must have left nothing."""
    made = target_with(tmp_path)
    yield made
    for name in made.exported():
        made.remove(name)
    assert left() == []


@pytest.fixture
def volume(tmp_path):
    """A function that makes a file of random bytes under a volume's name, and returns name and path."""
    return lambda *args, **values: initiator.volume(tmp_path, *args, **values)


def left():
    """What of ours the kernel still has."""
    return [path.name for path in (*TREE.glob("iscsi/iqn.2010-10.*"), *TREE.glob("core/*/volume-*"))]


def data_of(target, name, export):
    return target.connection(name, export, CONNECTOR)["data"]


def allowed(name):
    """The initiators that the kernel lets in."""
    return sorted(path.name for path in TREE.glob(f"iscsi/*:{name}/tpgt_1/acls/*"))


def portals(name):
    return sorted(path.name for path in TREE.glob(f"iscsi/*:{name}/tpgt_1/np/*"))


def attribute(name, attribute):
    """An attribute of the disk that initiators see."""
    return next(TREE.glob(f"core/*/{name}/attrib/{attribute}")).read_text().strip()


def test_what_an_initiator_writes_is_there_and_comes_back(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    export = target.export(name, path, connector=CONNECTOR)
    data = data_of(target, name, export)
    assert digest_of(url(data), tmp_path) == digest(path) != digest(source)
    write(source, url(data))
    assert digest(path) == digest(source) == digest_of(url(data), tmp_path)
    (access,) = export.accesses
    method, user, secret = access.auth.split()
    assert (access.initiator, method, len(user), len(secret)) == (MINE, "CHAP", 20, 16)
    assert data == {
        "target_discovered": False, "target_portal": target.portals()[0], "target_lun": 0, "discard": True,
        "target_iqn": f"iqn.2010-10.org.openstack:{name}", "auth_method": "CHAP", "auth_username": user,
        "auth_password": secret}
    assert target.exported() == {name: True}


@pytest.mark.parametrize("changes", [
    {"auth_password": "wrong" * 4}, {"auth_username": "nobody"}, {"auth_method": None}])
@pytest.mark.parametrize("acls", [True, False])
def test_who_does_not_know_the_secret_is_refused(volume, tmp_path, changes, acls):
    target = target_with(tmp_path, target_initiator_acls=acls)
    name, path = volume()
    data = data_of(target, name, target.export(name, path, connector=CONNECTOR))
    before = digest(path)
    done, said = qemu("info", "-f", "raw", url(data, **changes))
    assert not done and "uth" in said
    assert digest_of(url(data), tmp_path) == digest(path) == before
    target.remove(name)


def without(export, initiator):
    """The same for the others alone."""
    return dataclasses.replace(export, accesses=tuple(one for one in export.accesses if one.initiator != initiator))


def test_only_initiators_with_a_connection_are_let_in(target, volume):
    name, path = volume()
    export = target.export(name, path, connector={"initiator": OTHER})
    assert not qemu("info", "-f", "raw", url(target.connection(name, export, {"initiator": OTHER})["data"]))[0]
    export = target.export(name, path, export, connector=CONNECTOR)
    address = url(data_of(target, name, export))
    assert allowed(name) == sorted([MINE, OTHER])
    assert size_of(address) == SIZE
    export = target.export(name, path, without(export, OTHER))
    assert allowed(name) == [MINE]
    assert size_of(address) == SIZE
    target.export(name, path, without(export, MINE))
    assert allowed(name) == []
    assert not qemu("info", "-f", "raw", address)[0]


def test_each_initiator_has_a_secret_of_its_own(target, volume):
    name, path = volume()
    export = target.export(name, path, target.export(name, path, connector=CONNECTOR), connector={"initiator": OTHER})
    mine, other = (one.auth for one in export.accesses)
    assert mine != other
    theirs = target.connection(name, export, {"initiator": OTHER})["data"]
    assert size_of(url(data_of(target, name, export))) == SIZE
    assert not qemu("info", "-f", "raw", url(theirs))[0]


def test_one_that_comes_back_with_another_secret_is_let_in_by_that_alone(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    former = url(data_of(target, name, export))
    with initiator.busy(former, tmp_path / "log", MINE):
        until(lambda: sessions(name) == [MINE])
        later = target.export(name, path, without(export, MINE), connector=CONNECTOR)
        until(lambda: sessions(name) == [])
    assert not qemu("info", "-f", "raw", former)[0]
    assert size_of(url(data_of(target, name, later))) == SIZE


def test_one_reads_only_and_another_writes(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    export = target.export(name, path, connector={"initiator": OTHER})
    export = target.export(name, path, export, read_only=True, connector=CONNECTOR)
    address = url(data_of(target, name, export))
    assert digest_of(address, tmp_path) == digest(path)
    assert not qemu("convert", "-n", "-f", "raw", "-O", "raw", source, address)[0]
    assert {one.initiator: one.read_only for one in export.accesses} == {MINE: True, OTHER: False}
    protected = {path.parts[-3]: path.read_text().strip()
                 for path in TREE.glob(f"iscsi/*:{name}/tpgt_1/acls/*/lun_0/write_protect")}
    assert protected == {MINE: "1", OTHER: "0"}


def test_one_that_is_not_wanted_any_more_is_put_out_and_others_go_on(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    export = target.export(name, path, export, connector={"initiator": OTHER})
    mine, other = (url(target.connection(name, export, {"initiator": one})["data"]) for one in (MINE, OTHER))
    with initiator.busy(other, tmp_path / "one", OTHER), initiator.busy(mine, tmp_path / "two", MINE) as staying:
        until(lambda: sessions(name) == sorted([MINE, OTHER]))
        target.export(name, path, without(export, OTHER))
        assert sessions(name) == [MINE]
        assert staying.poll() is None


def sessions(name):
    """The initiators that are logged in."""
    found = TREE.glob(f"iscsi/*:{name}/tpgt_1/acls/*/info")
    return sorted(path.parent.name for path in found if "LOGGED_IN" in path.read_text())


def test_a_connector_without_an_initiator_is_refused(target, volume):
    name, path = volume()
    with pytest.raises(base.TargetError, match="iqn.1993-08.org.debian:01:0123456789ab"):
        target.export(name, path, connector={"initiator": "../other"})


def test_without_chap_the_initiators_name_is_enough(volume, tmp_path):
    target = target_with(tmp_path, use_chap_auth=False)
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    assert [one.auth for one in export.accesses] == [None]
    assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)
    target.remove(name)


def test_portals_of_both_families_and_their_change(volume, tmp_path):
    target = target_with(tmp_path, target_ip_address="::1", target_secondary_ip_addresses=["127.0.0.1", "127.0.0.2"])
    port = target.options.target_port
    name, path = volume()
    data = data_of(target, name, export := target.export(name, path, connector=CONNECTOR))
    assert data["target_portals"] == [f"[::1]:{port}", f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
    for portal in data["target_portals"]:
        assert digest_of(url(data, target_portal=portal), tmp_path) == digest(path)
    fewer = target_with(tmp_path, target_port=port, target_ip_address="127.0.0.2")
    assert fewer.exported() == {name: False}
    data = data_of(fewer, name, fewer.export(name, path, export))
    assert portals(name) == [data["target_portal"]] == [f"127.0.0.2:{port}"]
    assert digest_of(url(data), tmp_path) == digest(path)
    assert fewer.exported() == {name: True}
    fewer.remove(name)


@pytest.mark.parametrize("kind", ["file", "device"])
@pytest.mark.parametrize("cache", ["on", "off"])
def test_the_write_cache(volume, group, tmp_path, kind, cache):
    target = target_with(tmp_path, iscsi_write_cache=cache)
    name, path = volume()
    if kind == "device":
        path = logical_volume(group, name)
    data = data_of(target, name, target.export(name, path, connector=CONNECTOR))
    cached = attribute(name, "emulate_write_cache") == "1"
    # A device has a cache or has none; what LIO says of one that has is that one's own.
    assert cached == (cache == "on") or kind == "device" and cache == "on"
    _, source = volume(seed=2)
    write(source, url(data))
    assert digest_of(url(data), tmp_path) == digest(source)
    target.remove(name)


@pytest.fixture(scope="module")
def group():
    """A volume group with a thin pool."""
    with lvm.group(0) as name:
        lvm.run("lvcreate", "-qq", "-L", "1G", "-T", f"{name}/pool")
        yield name


def logical_volume(group, name):
    lvm.run("lvcreate", "-qq", "-V", f"{SIZE}B", "-T", f"{group}/pool", "-n", name)
    return f"/dev/{group}/{name}"


@pytest.mark.parametrize("cache", ["on", "off"])
def test_what_an_initiator_discards_goes_back_to_the_thin_pool(volume, group, tmp_path, cache):
    target = target_with(tmp_path, iscsi_write_cache=cache)
    name, source = volume()
    device = logical_volume(group, name)
    address = url(data_of(target, name, target.export(name, device, connector=CONNECTOR)))
    write(source, address)
    assert mapped(device) == 100
    discard(address, SIZE // 2)
    assert mapped(device) == 50
    target.remove(name)


def discard(address, size):
    command = ["qemu-io", "-f", "raw", "-d", "unmap", "-c", f"discard 0 {size}", address]
    subprocess.run(command, check=True, capture_output=True)


def mapped(device):
    """How many percent of a thin volume are in the pool."""
    return float(lvm.run("lvs", "--noheadings", "-o", "data_percent", device))


def test_what_an_initiator_discards_becomes_a_hole(target, volume):
    name, path = volume()
    address = url(data_of(target, name, target.export(name, path, connector=CONNECTOR)))
    before = os.stat(path).st_blocks
    discard(address, 8 * MIB)
    assert os.stat(path).st_blocks * 512 <= before * 512 - 7 * MIB


def test_a_read_only_export_cannot_be_written(target, volume, tmp_path):
    name, path = volume(seed=1)
    _, source = volume(seed=2)
    before = digest(path)
    export = target.export(name, path, read_only=True, connector=CONNECTOR)
    address = url(data_of(target, name, export))
    assert digest_of(address, tmp_path) == before
    assert not qemu("convert", "-n", "-f", "raw", "-O", "raw", source, address)[0]
    assert digest(path) == before
    writing = tuple(dataclasses.replace(one, read_only=False) for one in export.accesses)
    target.export(name, path, dataclasses.replace(export, accesses=writing))
    write(source, address)
    assert digest(path) == digest(source)


def test_growth_shows_while_an_initiator_is_there(target, volume, tmp_path):
    name, path = volume()
    address = url(data_of(target, name, target.export(name, path, connector=CONNECTOR)))
    with initiator.busy(address, tmp_path / "log", MINE):
        until(lambda: sessions(name) == [MINE])
        os.truncate(path, 2 * SIZE)
        target.resize(name, path)
        assert size_of(address) == 2 * SIZE
        assert sessions(name) == [MINE]


def test_another_file_in_its_place_shows_after_the_next_export(target, volume, tmp_path):
    name, path = volume(seed=1)
    export = target.export(name, path, connector=CONNECTOR)
    os.rename(volume(seed=2)[1], path)
    target.export(name, path, export)
    assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)


def test_removing_while_an_initiator_reads_puts_it_out(target, volume, tmp_path):
    name, path = volume()
    address = url(data_of(target, name, target.export(name, path, connector=CONNECTOR)))
    with initiator.busy(address, tmp_path / "log", MINE):
        until(lambda: sessions(name) == [MINE])
        target.remove(name)
        target.remove(name)
        assert left() == []
        assert not qemu("info", "-f", "raw", address)[0]


def test_what_others_export_is_left_alone(target, volume):
    foreign, saved = "iqn.2003-01.org.other:disk", pathlib.Path("/etc/target/saveconfig.json")
    name, path = volume()
    taken, taken_path = volume()
    script = f"""
import rtslib_fb as lib
disk = lib.FileIOStorageObject("{taken}", dev="{taken_path}", size={SIZE})
group = lib.TPG(lib.Target(lib.FabricModule("iscsi"), "{foreign}"), 1)
lib.LUN(group, 0, storage_object=disk)
lib.NetworkPortal(group, "127.0.0.1", {free_port()})
group.enable = True
lib.RTSRoot().save_to_file("{saved}")
"""
    lvm.run(sys.executable, "-c", script)
    try:
        kept = saved.read_bytes(), tree(foreign)
        target.export(name, path, connector=CONNECTOR)
        with pytest.raises(base.TargetError, match=f"the backstore {taken} is used by the target {foreign}"):
            target.export(taken, taken_path, connector=CONNECTOR)
        assert target.exported() == {name: True}
        target.remove(name)
        assert (saved.read_bytes(), tree(foreign)) == kept
    finally:
        lvm.run(sys.executable, "-c", "import rtslib_fb as lib; lib.RTSRoot().clear_existing(confirm=True)")


def tree(name):
    """Everything in configfs of a target or backstore with such a name: {path: text}."""
    found = {}
    for top in (*TREE.glob(f"iscsi/*{name}"), *TREE.glob(f"core/*/{name}")):
        for directory, _, files in os.walk(top):
            for file in files:
                path = os.path.join(directory, file)
                if os.stat(path).st_mode & 0o222 and os.stat(path).st_mode & 0o444:
                    with open(path) as opened:
                        found[path.partition(name)[2]] = opened.read()
    return found


def cut_off(number, function, *arguments):
    """Call it in a process that is killed before its number-th change of configfs; False when it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            privsep.storage.set_client_mode(False)
            seen = 0

            def hook(event, values):
                nonlocal seen
                if event in CHANGES and str(values[-2 if event == "os.symlink" else 0]).startswith(str(TREE)):
                    if event != "open" or values[1] != "r":
                        seen += 1
                        if seen == number:
                            os._exit(9)

            sys.addaudithook(hook)
            function(*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def test_an_export_that_is_killed_between_any_two_steps_is_completed(target, volume, tmp_path):
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    whole = tree(name)
    target.remove(name)
    number = 1
    while cut_off(number, target.export, name, path, export):
        assert target.exported() in ({}, {name: False}), number
        assert target.export(name, path, export) == export
        assert tree(name) == whole, number
        target.remove(name)
        assert left() == [], number
        number += 1
    assert number > 20
    assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)


def test_a_removal_that_is_killed_between_any_two_steps_is_completed(target, volume):
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    number = 1
    while cut_off(number, target.remove, name):
        target.remove(name)
        assert (target.exported(), left()) == ({}, []), number
        assert target.export(name, path, export) == export
        number += 1
    assert number > 5
    assert left() == []


def test_what_the_kernel_has_forgotten_is_exported_again_under_name_and_secret(target, volume, tmp_path):
    made = {name: (path, target.export(name, path, connector=CONNECTOR)) for name, path in (volume(), volume())}
    serials = {name: attribute_of_unit(name) for name in made}
    lvm.run(sys.executable, "-c", "import rtslib_fb as lib; lib.RTSRoot().clear_existing(confirm=True)")
    assert target.exported() == {}
    for name, (path, export) in reversed(made.items()):
        assert target.export(name, path, export) == export
        assert digest_of(url(data_of(target, name, export)), tmp_path) == digest(path)
        assert attribute_of_unit(name) == serials[name]
        assert name.removeprefix("volume-").replace("-", "") in serials[name].replace("-", "")


def attribute_of_unit(name):
    return next(TREE.glob(f"core/*/{name}/wwn/vpd_unit_serial")).read_text()


def test_a_volume_that_is_gone_is_said_without_the_secret(target, volume):
    name, path = volume()
    export = target.export(name, path, connector=CONNECTOR)
    target.remove(name)
    os.unlink(path)
    with pytest.raises(base.TargetError, match="No such file") as refused:
        target.export(name, path, export)
    assert export.accesses[0].auth.split()[2] not in str(refused.value)
