"""The tgt target: volumes over iSCSI by tgtd, one target for each volume, its disk LUN 1 (tgtd keeps LUN 0 itself)."""

import os
import random
import subprocess
import time

from oslo_config import cfg

from cinder_lite import concurrency
from cinder_lite.concurrency import commands
from cinder_lite.volume.targets import base, iscsi, tgtadm

OPTIONS = (
    *iscsi.OPTIONS,
    cfg.IntOpt("tgt_control_port", default=0, min=0, max=32767,
               help="Control port of the tgtd to be used (its option -C), where several run on one host."),
    cfg.StrOpt("tgt_control_socket",
               help="Control socket of the tgtd to be used (its environment's TGT_IPC_SOCKET), where it has one of its own."),
)

#: Free numbers among which a new target's is drawn, so that calls at the same time seldom draw the same.
SPREAD = 64
ATTEMPTS = 200
#: Seconds within which initiators are logged out.
LOGOUT = 20


class TgtTarget(iscsi.IscsiTarget):
    """Exports by tgtd, which forgets everything when it restarts.

    A target is open to initiators only when all the rest of it is there, so one that was half made is told by that and
    made again. A file in `state_path` for each name that this backend exports tells them from those of other backends
    on the same tgtd, and holds the identity of the device that tgtd opened.
    """

    OPTIONS = OPTIONS
    lun = 1

    def check(self):
        try:
            super().check()
            listening = tgtadm.portals(self._run(tgtadm.SHOW_PORTALS))
        except base.TargetError:
            # When it answers again it may be another tgtd, which exports nothing yet.
            self.access_enabled = False
            raise
        if self.access_enabled:
            self._listen(listening)

    def _listen(self, listening):
        """Have tgtd listen on all portals.

        It hangs up on initiators while it exports nothing, which open-iscsi 2.1.8 does not get over: it never logs in again.
        """
        port = self.options.target_port
        for address in self.addresses():
            wanted, wildcard = base.portal(address, port), base.portal("::" if ":" in address else "0.0.0.0", port)
            if listening & {wanted, wildcard} or self._run_unless([tgtadm.REFUSED], tgtadm.new_portal(wanted)):
                continue
            raise base.TargetError(
                f"tgtd cannot listen on {wanted}, only on {', '.join(sorted(listening)) or 'nothing'}: does another program? "
                "Correct target_ip_address, target_secondary_ip_addresses and target_port")

    def export(self, name, path, export=None, read_only=False, connector=None):
        made = self.made(name, export)
        iqn, auth = iscsi.parts(made)[1], made.auth
        identity = base.identity(path)
        present = self._shown(iqn)
        if present and export and _as_asked(present, path, auth, read_only):
            self._renew(name, present, path, identity, read_only)
            return made
        if present:
            self._drop(present)
        self._marks.write(name, "")
        self._make(name, iqn, path, auth, read_only)
        self._marks.write(name, identity)
        return made

    def remove(self, name):
        present = self._shown(self.iqn(name))
        if present:
            self._drop(present)
        self._marks.remove(name)

    def exported(self):
        names = {iqn.removeprefix(self.options.target_prefix): complete
                 for iqn, complete in tgtadm.targets_open(self._run(tgtadm.SHOW_TARGETS)).items()
                 if iqn.startswith(self.options.target_prefix)}
        return {name: complete for name, complete in names.items() if name in self._marks}

    def resize(self, name, path):
        present = self._shown(self.iqn(name))
        if present:
            self._renew(name, present, path, base.identity(path), present.read_only)

    @property
    def _cached(self):
        return self.options.iscsi_write_cache == "on"

    def _run(self, arguments):
        """tgtadm's output. The command itself is kept out of errors, with their causes: it may hold a secret."""
        control_port, socket = str(self.options.tgt_control_port), self.options.tgt_control_socket
        try:
            return commands.run_command(["tgtadm", "--control-port", control_port, *arguments],
                                           env=socket and {"TGT_IPC_SOCKET": socket})
        except FileNotFoundError:
            failure = base.TargetError("tgtadm is missing; install the package tgt")
        except subprocess.TimeoutExpired as late:
            failure = base.TargetError(f"tgtd did not answer '{tgtadm.described(arguments)}' within {late.timeout} s")
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().removeprefix("tgtadm: ")
            failure = base.TargetError(f"tgtd refused '{tgtadm.described(arguments)}': {said}")
            if any(sign in said for sign in tgtadm.DOWN):
                failure = base.TargetError(f"no tgtd answers on control port {control_port}; start it, or correct "
                                           "tgt_control_port")
        raise failure

    def _run_unless(self, signs, arguments):
        """Run it; False when tgtd refuses it for one of the signs."""
        try:
            self._run(arguments)
        except base.TargetError as error:
            if not any(sign in str(error) for sign in signs):
                raise
            return False
        return True

    def _shown(self, iqn):
        return tgtadm.target(self._run(tgtadm.SHOW_TARGETS), iqn)

    def _make(self, name, iqn, path, auth, read_only):
        tid = self._new_target(iqn)
        try:
            if auth:
                self._account(tid, *auth.split()[1:])
            self._new_lun(tid, name, path, read_only)
            self._run(tgtadm.allow(tid))
        except base.TargetError:
            self._drop(tgtadm.Shown(tid, iqn, accounts=tuple(auth.split()[1:2]) if auth else ()))
            raise

    def _new_lun(self, tid, name, path, read_only):
        self._run(tgtadm.new_lun(tid, path))
        # tgtd punches holes for unmapped blocks, and fails the command where a device has none: those of LVM.
        self._run(tgtadm.describe_lun(tid, iscsi.serial(name), read_only, self._cached, thin=os.path.isfile(path)))

    def _new_target(self, iqn):
        """Take a free number; of two calls that take the same one at once tgtd refuses one, which tries again."""
        for _ in range(ATTEMPTS):
            taken = tgtadm.targets(self._run(tgtadm.SHOW_TARGETS))
            if iqn in taken:
                raise base.TargetError(f"{iqn} is being exported by another call at this moment")
            free = sorted(set(range(1, len(taken) + SPREAD + 1)) - set(taken.values()))
            tid = random.choice(free)
            if self._run_unless([tgtadm.EXISTS], tgtadm.new_target(tid, iqn)):
                return tid
        raise base.TargetError(f"tgtd had no free target number in {ATTEMPTS} attempts")

    def _account(self, tid, user, secret):
        if not self._run_unless([tgtadm.EXISTS], tgtadm.new_account(user, secret)) and not self._shared(user):
            # A call that was cut off has left it, perhaps with another secret.
            self._run_unless(tgtadm.GONE, tgtadm.delete_account(user))
            self._run(tgtadm.new_account(user, secret))
        self._run(tgtadm.bind_account(tid, user))

    def _shared(self, user):
        return user == self.options.chap_username

    def _drop(self, target):
        """Shut the target, log its initiators out, remove it.

        tgtd refuses even --force while commands are under way, hence one connection after the other.
        """
        for initiator in target.allowed:
            self._run_unless(tgtadm.GONE, tgtadm.disallow(target.tid, initiator))
        for user in target.accounts:
            if not self._shared(user):
                self._run_unless(tgtadm.GONE, tgtadm.delete_account(user))
        with concurrency.deadline(LOGOUT) as left:
            while not self._run_unless(tgtadm.BUSY, tgtadm.delete_target(target.tid)):
                if not left():
                    raise base.TargetError(f"initiators could not be logged out of {target.iqn} within {LOGOUT} s")
                for session, connection in tgtadm.connections(self._run(tgtadm.show_connections(target.tid))):
                    self._run_unless(tgtadm.GONE, tgtadm.delete_connection(target.tid, session, connection))
                time.sleep(0.02)

    def _renew(self, name, target, path, identity, read_only):
        """Open the device anew when it has changed and no initiator is there: under commands tgtd must not do that."""
        if self._marks.read(name) == identity or target.in_use:
            return
        for initiator in target.allowed:
            self._run(tgtadm.disallow(target.tid, initiator))
        if not self._shown(target.iqn).in_use:
            self._run(tgtadm.delete_lun(target.tid))
            self._new_lun(target.tid, name, path, read_only)
            self._marks.write(name, identity)
        self._run(tgtadm.allow(target.tid))


def _as_asked(target, path, auth, read_only):
    accounts = (auth.split()[1],) if auth else ()
    return (target.path == path and target.online and target.read_only == read_only
            and target.accounts == accounts and target.allowed == ("ALL",))
