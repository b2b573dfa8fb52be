"""Exports volumes by iSCSI with tgtd: one target for each volume, its disk is LUN 1 (tgtd reserves LUN 0)."""

import os
import subprocess

from oslo_config import cfg

from cinder_lite.concurrency import clock, commands, randomness
from cinder_lite.volume.targets import base, iscsi, tgtadm

OPTIONS = (
    *iscsi.OPTIONS,
    cfg.IntOpt("tgt_control_port", default=0, min=0, max=32767,
               help="Control port of the tgtd to use (its option -C), if several run on one host."),
    cfg.StrOpt("tgt_control_socket",
               help="Control socket of the tgtd to use (its environment variable TGT_IPC_SOCKET), if it has its own."),
)

#: Free numbers from which a new target's is chosen at random, so that concurrent calls seldom choose the same.
SPREAD = 64
ATTEMPTS = 200
#: Seconds that logging out initiators may take.
LOGOUT = 20


class TgtTarget(iscsi.IscsiTarget):
    """Exports by tgtd, whose configuration is lost when it restarts.

    Initiators get access to a target as the last step, so an incomplete target is recognized and created again.
    `state_path` has a file for each export of this backend, which distinguishes it from those of other backends on the
    same tgtd, and contains the identity of the opened device.
    """

    OPTIONS = OPTIONS
    lun = 1

    def check(self) -> None:
        try:
            super().check()
            listening = tgtadm.portals(self._run(tgtadm.SHOW_PORTALS))
        except base.TargetError:
            # After an outage it may be another tgtd, which exports nothing yet.
            self.access_enabled = False
            raise
        if self.access_enabled:
            self._listen(listening)

    def _listen(self, listening):
        """Make tgtd listen on all portals.

        tgtd closes connections while it exports nothing, after which open-iscsi 2.1.8 never logs in again.
        """
        port = self.options.target_port
        for address in self.addresses():
            wanted, wildcard = base.portal(address, port), base.portal("::" if ":" in address else "0.0.0.0", port)
            if listening & {wanted, wildcard} or self._run_unless([tgtadm.REFUSED], tgtadm.new_portal(wanted)):
                continue
            raise base.TargetError(
                f"tgtd cannot listen on {wanted}, only on {', '.join(sorted(listening)) or 'nothing'}: is the port "
                "used by another program? Correct target_ip_address, target_secondary_ip_addresses and target_port")

    def export(self, name: str, path: str, export: base.Export | None = None, read_only: bool = False,
               connector: dict | None = None) -> base.Export:
        wanted = self.build_export(name, export)
        iqn, auth = iscsi.parts(wanted)[1], wanted.auth
        identity = base.identity(path)
        present = self._shown(iqn)
        if present and export and _matches(present, path, auth, read_only):
            self._reopen(name, present, path, identity, read_only)
            return wanted
        if present:
            self._drop(present)
        self._state.write(name, "")
        self._create(name, iqn, path, auth, read_only)
        self._state.write(name, identity)
        return wanted

    def remove(self, name: str) -> None:
        present = self._shown(self.iqn(name))
        if present:
            self._drop(present)
        self._state.remove(name)

    def exported(self) -> dict[str, bool]:
        names = {iqn.removeprefix(self.options.target_prefix): complete
                 for iqn, complete in tgtadm.targets_open(self._run(tgtadm.SHOW_TARGETS)).items()
                 if iqn.startswith(self.options.target_prefix)}
        return {name: complete for name, complete in names.items() if name in self._state}

    def resize(self, name: str, path: str) -> None:
        present = self._shown(self.iqn(name))
        if present:
            self._reopen(name, present, path, base.identity(path), present.read_only)

    @property
    def _cached(self):
        return self.options.iscsi_write_cache == "on"

    def _run(self, arguments):
        """tgtadm's output. Errors and their causes do not contain the command, which may have a secret."""
        control_port, socket = str(self.options.tgt_control_port), self.options.tgt_control_socket
        try:
            return commands.run_command(["tgtadm", "--control-port", control_port, *arguments],
                                        env=socket and {"TGT_IPC_SOCKET": socket})
        except FileNotFoundError:
            failure = base.TargetError("tgtadm is missing; install the package tgt")
        except subprocess.TimeoutExpired as late:
            failure = base.TargetError(f"tgtd did not answer '{tgtadm.described(arguments)}' within {late.timeout} s")
        except subprocess.CalledProcessError as error:
            message = error.stderr.strip().removeprefix("tgtadm: ")
            failure = base.TargetError(f"tgtd refused '{tgtadm.described(arguments)}': {message}")
            if any(text in message for text in tgtadm.DOWN):
                failure = base.TargetError(f"no tgtd answers on control port {control_port}; start it, or correct "
                                           "tgt_control_port")
        raise failure

    def _run_unless(self, refusals, arguments):
        """Run it; False if tgtd refuses it with one of these messages."""
        try:
            self._run(arguments)
        except base.TargetError as error:
            if not any(text in str(error) for text in refusals):
                raise
            return False
        return True

    def _shown(self, iqn):
        return tgtadm.target(self._run(tgtadm.SHOW_TARGETS), iqn)

    def _create(self, name, iqn, path, auth, read_only):
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
        # tgtd punches holes for unmapped blocks, and fails the command on devices without holes, as those of LVM.
        self._run(tgtadm.describe_lun(tid, iscsi.serial(name), read_only, self._cached, thin=os.path.isfile(path)))

    def _new_target(self, iqn):
        """Create a target with a free number; if two calls choose the same, tgtd refuses one, which retries."""
        for _ in range(ATTEMPTS):
            taken = tgtadm.targets(self._run(tgtadm.SHOW_TARGETS))
            if iqn in taken:
                raise base.TargetError(f"{iqn} is being exported by another call")
            free = sorted(set(range(1, len(taken) + SPREAD + 1)) - set(taken.values()))
            tid = randomness.choice(free)
            if self._run_unless([tgtadm.EXISTS], tgtadm.new_target(tid, iqn)):
                return tid
        raise base.TargetError(f"tgtd had no free target number in {ATTEMPTS} attempts")

    def _account(self, tid, user, secret):
        if not self._run_unless([tgtadm.EXISTS], tgtadm.new_account(user, secret)) and not self._shared(user):
            # Left by an interrupted call, perhaps with another secret.
            self._run_unless(tgtadm.GONE, tgtadm.delete_account(user))
            self._run(tgtadm.new_account(user, secret))
        self._run(tgtadm.bind_account(tid, user))

    def _shared(self, user):
        return user == self.options.chap_username

    def _drop(self, target):
        """Close the target, log its initiators out, and remove it.

        tgtd refuses even --force while commands are in progress, so connections are deleted one by one.
        """
        for initiator in target.allowed:
            self._run_unless(tgtadm.GONE, tgtadm.disallow(target.tid, initiator))
        for user in target.accounts:
            if not self._shared(user):
                self._run_unless(tgtadm.GONE, tgtadm.delete_account(user))
        with clock.deadline(LOGOUT) as left:
            while not self._run_unless(tgtadm.BUSY, tgtadm.delete_target(target.tid)):
                if not left():
                    raise base.TargetError(f"initiators could not be logged out of {target.iqn} within {LOGOUT} s")
                for session, connection in tgtadm.connections(self._run(tgtadm.show_connections(target.tid))):
                    self._run_unless(tgtadm.GONE, tgtadm.delete_connection(target.tid, session, connection))
                clock.sleep(0.02)

    def _reopen(self, name, target, path, identity, read_only):
        """Reopen a changed device if no initiator is logged in; tgtd cannot do that while commands are in progress."""
        if self._state.read(name) == identity or target.in_use:
            return
        for initiator in target.allowed:
            self._run(tgtadm.disallow(target.tid, initiator))
        if not self._shown(target.iqn).in_use:
            self._run(tgtadm.delete_lun(target.tid))
            self._new_lun(target.tid, name, path, read_only)
            self._state.write(name, identity)
        self._run(tgtadm.allow(target.tid))


def _matches(target, path, auth, read_only):
    accounts = (auth.split()[1],) if auth else ()
    return (target.path == path and target.online and target.read_only == read_only
            and target.accounts == accounts and target.allowed == ("ALL",))
