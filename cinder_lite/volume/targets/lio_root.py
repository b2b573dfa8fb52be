"""The privileged part of the LIO target: creates and removes targets in the kernel, with rtslib.

A target is enabled as the last step, so a target left by an interrupted call is recognized, removed, and created again.
rtslib's file is not written, and no backstore is looked up in its cache, because other programs may use LIO too.
"""

import contextlib
import dataclasses
import os
import pathlib
import stat

from cinder_lite.concurrency import randomness
from cinder_lite.host import privsep
from cinder_lite.volume.targets import base

CONFIGFS = pathlib.Path("/sys/kernel/config/target")
#: The kernel's directory of persistent reservations.
DATABASE = "/etc/target"
TAG, LUN = 1, 0
#: Backstores get random numbers below this, so that concurrent calls do not choose the same.
NUMBERS = 1 << 30


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A volume's target. `opened` is the device's identity when it was opened, "" if unknown.

    `accesses` are {initiator: (account, read-only)} of those with access, None for all that have the secret of
    `account`. An account is CHAP's (user, secret) or None; `secret`: whether authentication is required.
    """

    name: str
    iqn: str
    path: str
    opened: str
    serial: str
    portals: tuple[str, ...]
    account: tuple[str, ...] | None
    accesses: dict[str, tuple] | None
    read_only: bool
    cached: bool
    secret: bool


def _lib():
    """rtslib, imported in the privileged process only."""
    import rtslib_fb

    return rtslib_fb


@contextlib.contextmanager
def _as_target_error(what):
    """Turn errors of rtslib and the kernel into TargetError."""
    try:
        yield
    except (_lib().RTSLibError, OSError) as error:
        raise base.TargetError(f"LIO cannot {what}: {error}") from None


@privsep.storage.entrypoint
def check() -> None:
    """Raise TargetError if the kernel's LIO cannot be used."""
    if not CONFIGFS.is_dir():
        raise base.TargetError("the kernel's LIO is not loaded: load it with 'modprobe target_core_mod', and at every "
                               "boot with that name in a file in /etc/modules-load.d")
    with _as_target_error("be used for iSCSI"):
        os.makedirs(DATABASE, exist_ok=True)
        # The kernel then loads the iSCSI module by itself.
        (CONFIGFS / "iscsi").mkdir(exist_ok=True)


@privsep.storage.entrypoint
def export(values: dict) -> str:
    """Export a volume; `values` are the fields of a Wanted. Returns the identity of the opened device."""
    wanted = Wanted(**values)
    with _as_target_error(f"export {wanted.name}"):
        opened = _identity(wanted.path)
        group = _group(wanted.iqn)
        if group is not None and _matches(group, wanted) and (opened == wanted.opened or _in_use(group)):
            _grow(group)
            _set_access(group, wanted)
            return wanted.opened
        _drop(wanted.iqn, wanted.name)
        try:
            _create(wanted)
        except BaseException:
            _drop(wanted.iqn, wanted.name)
            raise
        return opened


@privsep.storage.entrypoint
def remove(iqn: str, name: str) -> None:
    """Remove a volume's target, its sessions and its backstore; a missing one is not an error."""
    with _as_target_error(f"remove {name}"):
        _drop(iqn, name)


@privsep.storage.entrypoint
def exported(prefix: str) -> dict[str, list[str] | None]:
    """{iqn: its portals, None if it is not enabled} of all targets with that prefix."""
    with _as_target_error("list its targets"):
        names = [path.name for path in (CONFIGFS / "iscsi").glob("iqn.*") if path.name.startswith(prefix)]
        groups = {name: _group(name) for name in names}
        return {name: _portals(group) if group and group.enable else None for name, group in groups.items()}


@privsep.storage.entrypoint
def resize(iqn: str, path: str) -> None:
    """Show a file's new size to initiators; the kernel detects a block device's by itself."""
    with _as_target_error(f"resize {path}"):
        group = _group(iqn)
        if group is not None and group.enable:
            _grow(group)


def _identity(path):
    """The identity of the file or device at a path."""
    found = os.stat(path)
    return f"device {found.st_rdev}" if stat.S_ISBLK(found.st_mode) else f"file {found.st_dev}:{found.st_ino}"


def _fabric():
    return _lib().FabricModule("iscsi")


def _group(iqn):
    """The portal group of a target, None if there is none."""
    try:
        return _lib().TPG(_lib().Target(_fabric(), iqn, "lookup"), TAG, "lookup")
    except _lib().RTSLibNotInCFSError:
        return None


def _store(group):
    """The backstore of a group's disk, None if there is none."""
    try:
        return _lib().LUN(group, LUN).storage_object
    except _lib().RTSLibError:
        return None


def _plugin(wanted):
    """The backstore type: fileio for files, and for devices without write cache, to which it writes synchronously."""
    return "block" if wanted.cached and stat.S_ISBLK(os.stat(wanted.path).st_mode) else "fileio"


def _portals(group):
    return [path.name for path in pathlib.Path(group.path, "np").iterdir()]


def _matches(group, wanted):
    """Whether the target is complete and as wanted, apart from portals and initiators."""
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


def _create(wanted):
    store = _new_store(wanted)
    group = _lib().TPG(_lib().Target(_fabric(), wanted.iqn), TAG)
    for name, value in (("authentication", wanted.secret), ("generate_node_acls", wanted.accesses is None),
                        ("cache_dynamic_acls", wanted.accesses is None), ("demo_mode_write_protect", wanted.read_only)):
        group.set_attribute(name, int(value))
    if wanted.account and wanted.accesses is None:
        group.chap_userid, group.chap_password = wanted.account
    _lib().LUN(group, LUN, storage_object=store)
    _set_access(group, wanted)
    group.enable = True


def _new_store(wanted):
    arguments = {"dev": wanted.path, "wwn": wanted.serial, "index": randomness.randrange(NUMBERS)}
    if _plugin(wanted) == "block":
        store = _lib().BlockStorageObject(wanted.name, **arguments)
    else:
        store = _lib().FileIOStorageObject(wanted.name, size=os.stat(wanted.path).st_size, write_back=wanted.cached,
                                           **arguments)
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


def _set_access(group, wanted):
    """Serve the target on the wanted portals, and give access to the wanted initiators and no others."""
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
        # The kernel checks the secret at login only, so an initiator that logged in with another one is logged out.
        changed = account and (acl.chap_userid, acl.chap_password) not in (account, ("", ""))
        if acl.node_wwn not in wanted.accesses or changed:
            acl.delete()
    for name, (account, read_only) in wanted.accesses.items():
        _allow(group, name, account, read_only)


def _allow(group, name, account, read_only):
    acl = _lib().NodeACL(group, name)
    if account and (acl.chap_userid, acl.chap_password) != account:
        acl.chap_userid, acl.chap_password = account
    for disk in list(acl.mapped_luns):
        try:
            disk.alias  # noqa: B018 - raises if its disk is gone
        except _lib().RTSLibBrokenLink:
            disk.delete()
            continue
        if disk.write_protect != read_only:
            disk.delete()
    if not any(acl.mapped_luns):
        _lib().MappedLUN(acl, LUN, LUN, write_protect=read_only)


def _drop(iqn, name):
    """Disable the target, log its initiators out, and remove it and its backstore, however complete they are."""
    with contextlib.suppress(_lib().RTSLibNotInCFSError):
        _lib().Target(_fabric(), iqn, "lookup").delete()
    for path in (CONFIGFS / "core").glob(f"*_*/{name}"):
        store = _lib().tcm.StorageObject.so_from_path(path)
        for lun in store.attached_luns:
            raise base.TargetError(f"the backstore {name} is used by the target {lun.parent_tpg.parent_target.wwn}; "
                                   "rename the backstore of that target")
        store.delete()
