"""The common part of iSCSI targets: portals, names, CHAP secrets, and connection information."""

import hashlib
import re
import string
import typing
from collections.abc import Sequence

from oslo_config import cfg

from cinder_lite.concurrency import randomness
from cinder_lite.volume.targets import base

OPTIONS = (
    base.ADDRESS,
    cfg.PortOpt("target_port", default=3260, help="TCP port of the iSCSI portals."),
    cfg.ListOpt("target_secondary_ip_addresses", default=[],
                help="Further addresses of this host, or names of its network interfaces, for multipath."),
    cfg.StrOpt("target_prefix", default="iqn.2010-10.org.openstack:", help="Prefix of the names of iSCSI targets."),
    cfg.StrOpt("iscsi_write_cache", default="on", choices=("on", "off"),
               help="on: written data may be cached in this host's memory until the initiator flushes; off: data is "
                    "on the disk before a write completes."),
    cfg.BoolOpt("use_chap_auth", default=True, help="Require CHAP authentication of initiators."),
    cfg.StrOpt("chap_username",
               help="CHAP user name of all connections. If not set, each connection gets a random one."),
    cfg.StrOpt("chap_password", secret=True,
               help="CHAP secret of all connections, 12 to 16 characters. If not set, each connection gets a random "
                    "one. With a common secret, a host whose connection has ended still has the secret of all others."),
)

LETTERS = string.ascii_letters + string.digits
#: Lengths of secrets that all initiators accept: RFC 7143 (12.1.3) requires 96 bits, some accept 16 characters at most.
SHORTEST, LONGEST = 12, 16


class IscsiTarget(base.Target):
    """One target for each volume, named target_prefix and the volume's name."""

    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = OPTIONS
    protocol = "iSCSI"
    #: The number of the volume's disk in its target.
    lun: int

    def check(self) -> None:
        """Check portals and secrets; subclasses check the daemon or the kernel."""
        options = self.options
        if options.use_chap_auth and options.chap_username and not options.chap_password:
            raise base.TargetError("chap_username is set without chap_password: a user has one secret; set both or "
                                   "neither")
        if options.use_chap_auth and options.chap_password and not SHORTEST <= len(options.chap_password) <= LONGEST:
            raise base.TargetError(f"chap_password has {len(options.chap_password)} characters; initiators take "
                                   f"{SHORTEST} to {LONGEST}")
        self.addresses()

    def addresses(self) -> Sequence[str]:
        """The addresses of this host on which volumes are exported, without secondary ones that are unusable now."""
        return self.usable(self.options.target_ip_address, *self.options.target_secondary_ip_addresses)

    def portals(self) -> list[str]:
        return [base.portal(address, self.options.target_port) for address in self.addresses()]

    def iqn(self, name: str) -> str:
        return self.options.target_prefix + name

    def build_export(self, name: str, former: base.Export | None) -> base.Export:
        """The Export of a volume: the former one, with the present portals."""
        auth = former.auth if former else self.new_auth()
        iqn = former.location.split()[1] if former and former.location else self.iqn(name)
        return base.Export(f"{';'.join(self.portals())},1 {iqn} {self.lun}", auth, former.accesses if former else None)

    def connection(self, name: str, export: base.Export, connector: dict | None) -> dict:
        """os-brick's "iscsi" connection, with lists for multipath if there are secondary addresses."""
        portals, iqn, lun = parts(export)
        data = {"target_discovered": False, "target_portal": portals[0], "target_iqn": iqn, "target_lun": lun,
                "discard": True}
        if len(portals) > 1:
            data |= {"target_portals": portals, "target_iqns": [iqn] * len(portals),
                     "target_luns": [lun] * len(portals)}
        auth = self._auth_of(export, connector)
        if auth:
            method, user, secret = auth.split()
            data |= {"auth_method": method, "auth_username": user, "auth_password": secret}
        return {"driver_volume_type": "iscsi", "data": data}

    @staticmethod
    def _auth_of(export, connector):
        """The secret of the connector's host."""
        return next((one.auth for one in export.accesses or () if one.initiator == (connector or {}).get("initiator")),
                    export.auth)

    def new_auth(self) -> str | None:
        if not self.options.use_chap_auth:
            return None
        user = self.options.chap_username or "".join(randomness.choice(LETTERS) for _ in range(20))
        secret = self.options.chap_password or "".join(randomness.choice(LETTERS) for _ in range(LONGEST))
        return f"CHAP {user} {secret}"


def parts(export: base.Export) -> tuple[list[str], str, int]:
    """([portal], iqn, lun) of an Export."""
    match = re.fullmatch(r"(.*),1 (\S+) (\d+)", export.location or "")
    if match is None:
        raise ValueError(f"not a location of iSCSI: {export.location}")
    portals, iqn, lun = match.groups()
    return portals.split(";"), iqn, int(lun)


def serial(name: str) -> str:
    """The volume's serial number, 32 hexadecimal digits that never change: its id if the name has one."""
    name = base.volume_of(name)
    digits = name.replace("-", "")[-32:]
    return digits if re.fullmatch("[0-9a-f]{32}", digits) else hashlib.sha256(name.encode()).hexdigest()[:32]
