"""The LIO target: volumes over iSCSI by the kernel, one target for each volume, its disk LUN 0."""

import dataclasses
import os
import re

from oslo_config import cfg

from cinder_lite.host import privsep
from cinder_lite.volume.targets import base, iscsi, lio_root

OPTIONS = (
    *iscsi.OPTIONS,
    cfg.BoolOpt("target_initiator_acls", default=True,
                help="Let in only the initiators to which the volume is connected, each by a secret of its own (LIO): one "
                     "whose connection ends is put out at once, also when others stay. False: all that know the volume's "
                     "one secret."),
)

INITIATOR = re.compile(r"(iqn\.\d{4}-\d{2}\.|eui\.|naa\.)[^\s/]+")


class LioTarget(iscsi.IscsiTarget):
    """Exports by the kernel's LIO, which forgets everything when the host restarts.

    What is exported is known by its target's name; what other programs export is left alone, and so is the file of
    theirs from which they restore it: the service exports its volumes again by itself when it starts. A file in
    `state_path` for each name holds which device was opened.
    """

    OPTIONS = OPTIONS
    lun = lio_root.LUN

    def check(self):
        super().check()
        self._root(lio_root.check)

    def export(self, name, path, export=None, read_only=False, connector=None):
        made = self.made(name, export)
        if export is None and self.options.target_initiator_acls:
            made = dataclasses.replace(made, accesses=())
        if made.accesses is not None and connector is not None:
            initiator = self._initiator(connector)
            if initiator not in {one.initiator for one in made.accesses}:
                added = base.Access(initiator, self.new_auth(), read_only)
                made = dataclasses.replace(made, accesses=(*made.accesses, added))
        return self._make(name, path, made, read_only)

    @property
    def sharing(self):
        # The kernel does not open one device for two backstores, so that hosts cannot have an export each.
        return base.BY_INITIATOR if self.options.target_initiator_acls else base.TOTAL_SIZE

    def check_connector(self, connector):
        if self.options.target_initiator_acls:
            self._initiator(connector)

    def remove(self, name):
        self._root(lio_root.remove, self.iqn(name), name)
        self._marks.remove(name)

    def exported(self):
        prefix, portals = self.options.target_prefix, sorted(self.portals())
        found = self._root(lio_root.exported, prefix)
        return {iqn.removeprefix(prefix): sorted(served or ()) == portals for iqn, served in found.items()}

    def resize(self, name, path):
        self._root(lio_root.resize, self.iqn(name), os.path.realpath(path))

    def _make(self, name, path, made, read_only):
        """Have the kernel export it as `made` says; returns that."""
        portals, iqn, _ = iscsi.parts(made)
        accounts = [made.auth, *(one.auth for one in made.accesses or ())]
        wanted = lio_root.Wanted(
            name=name, iqn=iqn, path=str(path), opened=self._marks.read(name), serial=iscsi.serial(name),
            portals=tuple(portals), account=tuple(made.auth.split()[1:]) if made.auth else None,
            accesses=None if made.accesses is None else {
                one.initiator: (tuple(one.auth.split()[1:]) if one.auth else None, one.read_only) for one in made.accesses},
            read_only=read_only, cached=self.options.iscsi_write_cache == "on", secret=any(accounts))
        self._marks.write(name, wanted.opened)
        self._marks.write(name, self._root(lio_root.export, vars(wanted)))
        return made

    @staticmethod
    def _initiator(connector):
        name = connector.get("initiator") or ""
        if not INITIATOR.fullmatch(name):
            raise base.TargetError(f"the connector has the initiator '{name}'; that of a host which attaches by iSCSI "
                                   "is like iqn.1993-08.org.debian:01:0123456789ab (/etc/iscsi/initiatorname.iscsi)")
        return name

    @staticmethod
    def _root(function, *arguments):
        try:
            return function(*arguments)
        except privsep.Unavailable as error:
            raise base.TargetError(str(error)) from error
