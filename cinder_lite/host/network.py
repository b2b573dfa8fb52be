"""The addresses of this host and the state of their links, read with pyroute2."""

import dataclasses
import ipaddress
import socket
from collections.abc import Collection

from cinder_lite import errors

#: Multicast groups of rtnetlink with changes of links and of addresses (rtnetlink(7)).
LINK, IPV4_ADDRESS, IPV6_ADDRESS = 0x1, 0x10, 0x100
UP, LOOPBACK, RUNNING = 0x1, 0x8, 0x40
#: Flags of an address that must not be used for new connections (yet, or any more).
TEMPORARY, DUPLICATE, DEPRECATED, TENTATIVE = 0x01, 0x08, 0x20, 0x40
GLOBAL = 0


class Unusable(errors.Explained):
    """An address cannot be listened on; the text is the reason."""

    for_members = errors.HIDDEN


@dataclasses.dataclass(frozen=True)
class Link:
    """A network interface; `flags` are those of netdevice(7)."""

    name: str
    flags: int

    @property
    def fault(self) -> str | None:
        """Why no traffic passes, or None."""
        if not self.flags & UP:
            return f"link {self.name} is down"
        return None if self.flags & RUNNING else f"link {self.name} has no carrier"


@dataclasses.dataclass(frozen=True)
class Address:
    """An address of this host. `scope` is 0 where it is valid everywhere; `flags` are those of rtnetlink(7)."""

    text: str
    prefix: int
    link: Link
    scope: int = GLOBAL
    flags: int = 0

    def covers(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Whether it is that address; of a loopback link, whether its network contains the address."""
        if self.link.flags & LOOPBACK:
            return address in ipaddress.ip_interface(f"{self.text}/{self.prefix}").network
        return address == ipaddress.ip_address(self.text)

    @property
    def fault(self) -> str | None:
        """Why it cannot be used, or None."""
        if self.flags & DUPLICATE:
            return f"another host has the address {self.text} too"
        return f"the address {self.text} is still being tested" if self.flags & TENTATIVE else self.link.fault

    @property
    def is_preferred(self) -> bool:
        """Whether it may represent its link."""
        return self.scope == GLOBAL and not self.flags & (TEMPORARY | DUPLICATE | DEPRECATED | TENTATIVE)


def state() -> tuple[tuple[Link, ...], tuple[Address, ...]]:
    """This host's links and addresses: (tuple of Link, tuple of Address in the kernel's order)."""
    # 9 MB, which only a service that exports volumes to other hosts needs.
    import pyroute2

    with pyroute2.IPRoute() as route:
        links = {link["index"]: Link(link.get_attr("IFLA_IFNAME"), link["flags"]) for link in route.get_links()}
        found = tuple(Address(one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS"), one["prefixlen"],
                              links[one["index"]], one["scope"], one.get_attr("IFA_FLAGS") or one["flags"])
                      for one in route.get_addr() if one["index"] in links)
    return tuple(links.values()), found


def choose(*names: str) -> tuple[list[str], list[str]]:
    """The addresses that the names (see `usable`) refer to at present, and the reasons why others cannot be used."""
    found: list[str] = []
    lost: list[str] = []
    known = None
    for name in names:
        try:
            if not _is_loopback(name):
                known = known or state()
            found.append(usable(name, *known) if known else name)
        except Unusable as unusable:
            lost.append(str(unusable))
    return found, lost


def _is_loopback(name):
    """Whether it is an address of the loopback network, which is always usable."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def usable(name: str, links: Collection[Link], addresses: Collection[Address]) -> str:
    """The address that a name refers to: an address of this host, a host name of it, or a link.

    For a link it is the first IPv4 address with global scope, else the first such IPv6 address. Raises Unusable if
    it is not an address of this host or no traffic passes its link.
    """
    link = next((link for link in links if link.name == name), None)
    if link is not None:
        mine = [one for one in addresses if one.link == link and one.is_preferred]
        if not mine:
            raise Unusable(link.fault or f"link {name} has no address")
        chosen = min(mine, key=lambda one: ":" in one.text)
        text = chosen.text
    else:
        text = _address(name)
        covering = [one for one in addresses if one.covers(ipaddress.ip_address(text))]
        if not covering:
            known = ", ".join(one.text for one in addresses)
            raise Unusable(f"{text} is not an address of this host, which has {known or 'none'}")
        chosen = covering[0]
    if chosen.fault:
        raise Unusable(chosen.fault)
    return text


def _address(name):
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise Unusable(f"{name} is neither a link nor an address of this host") from error


def changes() -> socket.socket:
    """A socket that becomes readable when a link or an address of this host changes; its messages are not parsed."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    events.bind((0, LINK | IPV4_ADDRESS | IPV6_ADDRESS))
    return events
