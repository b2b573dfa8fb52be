"""What the LIO target does as root: it makes and removes targets in the kernel, by rtslib.

A target is enabled when all the rest of it is there: what a call that was cut off has left is told by that, removed, and
made again. Nothing is written to rtslib's file, and no backstore is looked up in its cache: other programs may use LIO too.
"""

import contextlib
import dataclasses
import os
import pathlib
import random
import stat

from cinder_lite.host import privsep
from cinder_lite.volume.targets import base

CONFIGFS = pathlib.Path("/sys/kernel/config/target")
#: Where the kernel keeps persistent reservations.
DATABASE = "/etc/target"
TAG, LUN = 1, 0
#: Backstores are numbered at random below this, so that calls at the same time do not draw the same.
NUMBERS = 1 << 30


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A volume's target. `opened` is the device's identity when it was opened, "" when that is not known.

    `accesses` are {initiator: (its account, whether it only reads)} of those that are let in, None for all that know
    `account`. An account is (user, secret) of CHAP or None; `secret` says whether anybody is asked for one.
    """

    name: str
    iqn: str
    path: str
    opened: str
    serial: str
    portals: tuple
    account: tuple | None
    accesses: dict | None
    read_only: bool
    cached: bool
    secret: bool


def _lib():
    """rtslib, which only root's process imports."""
    import rtslib_fb

    return rtslib_fb


@contextlib.contextmanager
def _explained(what):
    """Give errors of rtslib and the kernel the form of targets' errors."""
    try:
        yield
    except (_lib().RTSLibError, OSError) as error:
        raise base.TargetError(f"LIO cannot {what}: {error}") from None


@privsep.storage.entrypoint
def check():
    """Raise TargetError unless the kernel's LIO can be used."""
    if not CONFIGFS.is_dir():
        raise base.TargetError("the kernel's LIO is not there: load it with 'modprobe target_core_mod', and at every start "
                               "by that name in a file of /etc/modules-load.d")
    with _explained("be used for iSCSI"):
        os.makedirs(DATABASE, exist_ok=True)
        # The kernel loads the module of iSCSI itself.
        (CONFIGFS / "iscsi").mkdir(exist_ok=True)


@privsep.storage.entrypoint
def export(values):
    """Export a volume as the values of a Wanted say; returns the identity of the device that is open."""
    wanted = Wanted(**values)
    with _explained(f"export {wanted.name}"):
        opened = _identity(wanted.path)
        group = _group(wanted.iqn)
        if group is not None and _serves(group, wanted) and (opened == wanted.opened or _in_use(group)):
            _grow(group)
            _open(group, wanted)
            return wanted.opened
        _drop(wanted.iqn, wanted.name)
        try:
            _make(wanted)
        except BaseException:
            _drop(wanted.iqn, wanted.name)
            raise
        return opened


@privsep.storage.entrypoint
def remove(iqn, name):
    """Remove a volume's target, its sessions and its backstore; none there is success."""
    with _explained(f"remove {name}"):
        _drop(iqn, name)


@privsep.storage.entrypoint
def exported(prefix):
    """{iqn: its portals, None where it is not open} of all targets whose names begin so."""
    with _explained("be asked what it exports"):
        names = [path.name for path in (CONFIGFS / "iscsi").glob("iqn.*") if path.name.startswith(prefix)]
        groups = {name: _group(name) for name in names}
        return {name: [path.name for path in pathlib.Path(group.path, "np").iterdir()] if group and group.enable else None
                for name, group in groups.items()}


@privsep.storage.entrypoint
def resize(iqn, path):
    """Show initiators a file's new size; that of a device the kernel sees itself."""
    with _explained(f"resize {path}"):
        group = _group(iqn)
        if group is not None and group.enable:
            _grow(group)


def _identity(path):
    """Which file or device a path leads to now."""
    found = os.stat(path)
    return f"device {found.st_rdev}" if stat.S_ISBLK(found.st_mode) else f"file {found.st_dev}:{found.st_ino}"


def _fabric():
    return _lib().FabricModule("iscsi")


def _group(iqn):
    """The portal group of a target, None when there is none."""
    try:
        return _lib().TPG(_lib().Target(_fabric(), iqn, "lookup"), TAG, "lookup")
    except _lib().RTSLibNotInCFSError:
        return None


def _store(group):
    """The backstore of a group's disk, None when there is none."""
    try:
        return _lib().LUN(group, LUN).storage_object
    except _lib().RTSLibError:
        return None


def _plugin(wanted):
    """Files are served by LIO's fileio, and devices whose cache is to be passed by: to those it writes synchronously."""
    return "block" if wanted.cached and stat.S_ISBLK(os.stat(wanted.path).st_mode) else "fileio"


def _serves(group, wanted):
    """Whether the target is whole and what is wanted but for who is let in where."""
    store = _store(group)
    return (group.enable and store is not None and (store.name, store.plugin) == (wanted.name, _plugin(wanted)) and
            store.udev_path == wanted.path and
            group.get_attribute("generate_node_acls") == str(int(wanted.accesses is None)) and
            group.get_attribute("authentication") == str(int(wanted.secret)) and
            (wanted.accesses is not None or _is_open_to_all(group, wanted)))


def _is_open_to_all(group, wanted):
    return (group.get_attribute("demo_mode_write_protect") == str(int(wanted.read_only)) and
            wanted.account in (None, (group.chap_userid, group.chap_password)))


def _in_use(group):
    with open(f"{group.path}/dynamic_sessions") as sessions:
        return bool(sessions.read().strip("\0\n ")) or any(acl.session for acl in group.node_acls)


def _make(wanted):
    store = _new_store(wanted)
    group = _lib().TPG(_lib().Target(_fabric(), wanted.iqn), TAG)
    for name, value in (("authentication", wanted.secret), ("generate_node_acls", wanted.accesses is None),
                        ("cache_dynamic_acls", wanted.accesses is None), ("demo_mode_write_protect", wanted.read_only)):
        group.set_attribute(name, int(value))
    if wanted.account and wanted.accesses is None:
        group.chap_userid, group.chap_password = wanted.account
    _lib().LUN(group, LUN, storage_object=store)
    _open(group, wanted)
    group.enable = True


def _new_store(wanted):
    facts = {"dev": wanted.path, "wwn": wanted.serial, "index": random.randrange(NUMBERS)}
    if _plugin(wanted) == "block":
        store = _lib().BlockStorageObject(wanted.name, **facts)
    else:
        store = _lib().FileIOStorageObject(wanted.name, size=os.stat(wanted.path).st_size, write_back=wanted.cached, **facts)
    # Some devices cannot discard.
    with contextlib.suppress(_lib().RTSLibError):
        store.set_attribute("emulate_tpu", 1)
    return store


def _grow(group):
    store = _store(group)
    if store.plugin == "fileio" and not store.is_block:
        size = os.stat(store.udev_path).st_size
        if store.size != size:
            pathlib.Path(store.path, "control").write_text(f"fd_dev_size={size}")


def _open(group, wanted):
    """Serve it on the wanted portals and let the wanted initiators in, and no others."""
    portals = {f"{portal.ip_address}:{portal.port}": portal for portal in group.network_portals}
    for name in wanted.portals:
        if name not in portals:
            _lib().NetworkPortal(group, *name.rsplit(":", 1))
    for name in portals.keys() - set(wanted.portals):
        portals[name].delete()
    if wanted.accesses is None:
        return
    for acl in list(group.node_acls):
        account = wanted.accesses.get(acl.node_wwn, (None, None))[0]
        # The kernel asks for a secret when an initiator logs in, and never again: one that knew another is put out.
        if acl.node_wwn not in wanted.accesses or account and (acl.chap_userid, acl.chap_password) not in (account, ("", "")):
            acl.delete()
    for name, (account, read_only) in wanted.accesses.items():
        _let_in(group, name, account, read_only)


def _let_in(group, name, account, read_only):
    acl = _lib().NodeACL(group, name)
    if account and (acl.chap_userid, acl.chap_password) != account:
        acl.chap_userid, acl.chap_password = account
    for disk in list(acl.mapped_luns):
        try:
            disk.alias  # noqa: B018 - raises when its disk is gone
        except _lib().RTSLibBrokenLink:
            disk.delete()
            continue
        if disk.write_protect != read_only:
            disk.delete()
    if not any(acl.mapped_luns):
        _lib().MappedLUN(acl, LUN, LUN, write_protect=read_only)


def _drop(iqn, name):
    """Shut the target, put its initiators out, and remove it and its backstore, however much of them is there."""
    with contextlib.suppress(_lib().RTSLibNotInCFSError):
        _lib().Target(_fabric(), iqn, "lookup").delete()
    for path in (CONFIGFS / "core").glob(f"*_*/{name}"):
        store = _lib().tcm.StorageObject.so_from_path(path)
        for lun in store.attached_luns:
            raise base.TargetError(f"the backstore {name} is used by the target {lun.parent_tpg.parent_target.wwn}; give "
                                   "that one's another name")
        store.delete()
