"""Exports volumes by iSCSI with the kernel's LIO: one target for each volume, its disk is LUN 0."""

import dataclasses
import os
import re

from oslo_config import cfg

from cinder_lite.host import privsep
from cinder_lite.volume.targets import base, iscsi, lio_root

OPTIONS = (
    *iscsi.OPTIONS,
    cfg.BoolOpt("target_initiator_acls", default=True,
                help="Give access only to initiators to which the volume is connected, each with a secret of its own "
                     "(LIO). When a connection ends, its access is revoked at once, while others stay. False: all "
                     "initiators that have the volume's common secret."),
)

INITIATOR = re.compile(r"(iqn\.\d{4}-\d{2}\.|eui\.|naa\.)[^\s/]+")


class LioTarget(iscsi.IscsiTarget):
    """Exports by the kernel's LIO, whose configuration is lost when the host reboots.

    Exports are recognized by the target's name. Targets of other programs, and the file from which these are restored,
    are not changed: the service exports its volumes again when it starts. `state_path` has a file for each export with
    the identity of the opened device.
    """

    OPTIONS = OPTIONS
    lun = lio_root.LUN

    def check(self) -> None:
        super().check()
        self._root(lio_root.check)

    def export(self, name: str, path: str, export: base.Export | None = None, read_only: bool = False,
               connector: dict | None = None) -> base.Export:
        wanted = self.build_export(name, export)
        if export is None and self.options.target_initiator_acls:
            wanted = dataclasses.replace(wanted, accesses=())
        if wanted.accesses is not None and connector is not None:
            initiator = self._initiator(connector)
            if initiator not in {one.initiator for one in wanted.accesses}:
                added = base.Access(initiator, self.new_auth(), read_only)
                wanted = dataclasses.replace(wanted, accesses=(*wanted.accesses, added))
        return self._apply(name, path, wanted, read_only)

    @property
    def sharing(self) -> str:
        # The kernel does not open one device for two backstores, so hosts cannot have one export each.
        return base.BY_INITIATOR if self.options.target_initiator_acls else base.TOGETHER

    def check_connector(self, connector: dict) -> None:
        if self.options.target_initiator_acls:
            self._initiator(connector)

    def remove(self, name: str) -> None:
        self._root(lio_root.remove, self.iqn(name), name)
        self._state.remove(name)

    def exported(self) -> dict[str, bool]:
        prefix, portals = self.options.target_prefix, sorted(self.portals())
        found = self._root(lio_root.exported, prefix)
        return {iqn.removeprefix(prefix): sorted(served or ()) == portals for iqn, served in found.items()}

    def resize(self, name: str, path: str) -> None:
        self._root(lio_root.resize, self.iqn(name), os.path.realpath(path))

    def _apply(self, name, path, export, read_only):
        """Configure the kernel's target like the Export; returns it."""
        portals, iqn, _ = iscsi.parts(export)
        accounts = [export.auth, *(one.auth for one in export.accesses or ())]
        accesses = None if export.accesses is None else {
            one.initiator: (tuple(one.auth.split()[1:]) if one.auth else None, one.read_only)
            for one in export.accesses}
        wanted = lio_root.Wanted(
            name=name, iqn=iqn, path=str(path), opened=self._state.read(name), serial=iscsi.serial(name),
            portals=tuple(portals), account=tuple(export.auth.split()[1:]) if export.auth else None,
            accesses=accesses, read_only=read_only, cached=self.options.iscsi_write_cache == "on", secret=any(accounts))
        self._state.write(name, wanted.opened)
        self._state.write(name, self._root(lio_root.export, vars(wanted)))
        return export

    @staticmethod
    def _initiator(connector):
        name = connector.get("initiator") or ""
        if not INITIATOR.fullmatch(name):
            raise base.TargetError(f"the connector has the initiator '{name}'; an iSCSI initiator has a name like "
                                   "iqn.1993-08.org.debian:01:0123456789ab (/etc/iscsi/initiatorname.iscsi)")
        return name

    @staticmethod
    def _root(function, *arguments):
        try:
            return function(*arguments)
        except privsep.Unavailable as error:
            raise base.TargetError(str(error)) from error
