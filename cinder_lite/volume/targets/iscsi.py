"""What all iSCSI targets share: portals, names, CHAP, and what os-brick needs to log in."""

import hashlib
import re
import secrets
import string
import typing

from oslo_config import cfg

from cinder_lite.volume.targets import base

OPTIONS = (
    base.ADDRESS,
    cfg.PortOpt("target_port", default=3260, help="TCP port of iSCSI."),
    cfg.ListOpt("target_secondary_ip_addresses", default=[],
                help="Further addresses of this host, or names of its links, for multipath."),
    cfg.StrOpt("target_prefix", default="iqn.2010-10.org.openstack:", help="What names of iSCSI targets begin with."),
    cfg.StrOpt("iscsi_write_cache", default="on", choices=("on", "off"),
               help="on: what is written may be in this host's memory until the initiator flushes; off: it is on the "
                    "disk before the write is answered."),
    cfg.BoolOpt("use_chap_auth", default=True, help="Let initiators in by CHAP only."),
    cfg.StrOpt("chap_username", help="CHAP user of all connections; a random one for each connection when not set."),
    cfg.StrOpt("chap_password", secret=True,
               help="CHAP secret of all connections, 12 to 16 characters; a random one for each when not set. With one for all, "
                    "a host whose connection has ended still knows the secret of every other."),
)

LETTERS = string.ascii_letters + string.digits
#: Initiators differ in how long a secret they take: RFC 7143 (12.1.3) wants 96 bits, some know 16 characters.
SHORTEST, LONGEST = 12, 16


class IscsiTarget(base.Target):
    """A target for each volume, its name target_prefix and the volume's."""

    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = OPTIONS
    protocol = "iSCSI"
    #: The number of the volume's disk in its target.
    lun: int

    def check(self):
        """Look at the portals and secrets; what serves them is the subclass's to check."""
        options = self.options
        if options.use_chap_auth and options.chap_username and not options.chap_password:
            raise base.TargetError("chap_username is set without chap_password: a user has one secret; set both or "
                                   "neither")
        if options.use_chap_auth and options.chap_password and not SHORTEST <= len(options.chap_password) <= LONGEST:
            raise base.TargetError(f"chap_password has {len(options.chap_password)} characters; initiators take "
                                   f"{SHORTEST} to {LONGEST}")
        self.addresses()

    def addresses(self):
        """Those of this host on which volumes are exported, but for secondary ones that cannot be used now."""
        return self.usable(self.options.target_ip_address, *self.options.target_secondary_ip_addresses)

    def portals(self):
        return [base.portal(address, self.options.target_port) for address in self.addresses()]

    def iqn(self, name):
        return self.options.target_prefix + name

    def made(self, name, former):
        """The Export that a volume gets: that of before, with the portals of now."""
        auth = former.auth if former else self.new_auth()
        iqn = former.location.split()[1] if former and former.location else self.iqn(name)
        return base.Export(f"{';'.join(self.portals())},1 {iqn} {self.lun}", auth, former.accesses if former else None)

    def connection(self, name, export, connector):
        """os-brick's "iscsi", with lists for multipath where there are secondary addresses."""
        portals, iqn, lun = parts(export)
        data = {"target_discovered": False, "target_portal": portals[0], "target_iqn": iqn, "target_lun": lun,
                "discard": True}
        if len(portals) > 1:
            data |= {"target_portals": portals, "target_iqns": [iqn] * len(portals), "target_luns": [lun] * len(portals)}
        auth = self._auth_of(export, connector)
        if auth:
            method, user, secret = auth.split()
            data |= {"auth_method": method, "auth_username": user, "auth_password": secret}
        return {"driver_volume_type": "iscsi", "data": data}

    @staticmethod
    def _auth_of(export, connector):
        """The secret by which the connector's host is let in."""
        return next((one.auth for one in export.accesses or () if one.initiator == (connector or {}).get("initiator")),
                    export.auth)

    def new_auth(self):
        if not self.options.use_chap_auth:
            return None
        user = self.options.chap_username or "".join(secrets.choice(LETTERS) for _ in range(20))
        secret = self.options.chap_password or "".join(secrets.choice(LETTERS) for _ in range(LONGEST))
        return f"CHAP {user} {secret}"


def parts(export):
    """([portal], iqn, lun) of an Export."""
    portals, iqn, lun = re.fullmatch(r"(.*),1 (\S+) (\d+)", export.location).groups()
    return portals.split(";"), iqn, int(lun)


def serial(name):
    """32 hexadecimal digits that name the volume on every host and after every restart: its id, where it has one."""
    name = base.volume_of(name)
    digits = name.replace("-", "")[-32:]
    return digits if re.fullmatch("[0-9a-f]{32}", digits) else hashlib.sha256(name.encode()).hexdigest()[:32]
