"""This host's network: which addresses it has, whether their links work, and the one door to pyroute2."""

import dataclasses
import ipaddress
import socket

from cinder_lite import errors

#: Multicast groups of rtnetlink that tell of links and of addresses (rtnetlink(7)).
LINK, IPV4_ADDRESS, IPV6_ADDRESS = 0x1, 0x10, 0x100
UP, LOOPBACK, RUNNING = 0x1, 0x8, 0x40
#: Of an address: it must not be used for new connections (yet, or any more).
TEMPORARY, DUPLICATE, DEPRECATED, TENTATIVE = 0x01, 0x08, 0x20, 0x40
GLOBAL = 0


class Unusable(errors.Explained):
    """An address cannot be listened on; the text says why."""

    for_members = errors.HIDDEN


@dataclasses.dataclass(frozen=True)
class Link:
    """A network interface; `flags` are those of netdevice(7)."""

    name: str
    flags: int

    @property
    def flaw(self):
        """Why nothing comes through it, None when something does."""
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

    def covers(self, address):
        """Whether it is that address: to a loopback link, its whole network belongs."""
        if self.link.flags & LOOPBACK:
            return address in ipaddress.ip_interface(f"{self.text}/{self.prefix}").network
        return address == ipaddress.ip_address(self.text)

    @property
    def flaw(self):
        if self.flags & DUPLICATE:
            return f"another host has the address {self.text} too"
        return f"the address {self.text} is still being tested" if self.flags & TENTATIVE else self.link.flaw

    @property
    def is_first_choice(self):
        return self.scope == GLOBAL and not self.flags & (TEMPORARY | DUPLICATE | DEPRECATED | TENTATIVE)


def state():
    """This host's links and addresses: (tuple of Link, tuple of Address in the kernel's order)."""
    # Only a service that exports volumes to other hosts pays for it: 9 MB.
    import pyroute2

    with pyroute2.IPRoute() as route:
        links = {link["index"]: Link(link.get_attr("IFLA_IFNAME"), link["flags"]) for link in route.get_links()}
        found = tuple(Address(one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS"), one["prefixlen"],
                              links[one["index"]], one["scope"], one.get_attr("IFA_FLAGS") or one["flags"])
                      for one in route.get_addr() if one["index"] in links)
    return tuple(links.values()), found


def choose(*words):
    """The addresses that the words mean now, and why others cannot be used: (list of str, list of str)."""
    found, lost, known = [], [], None
    for word in words:
        try:
            if not _is_loopback(word):
                known = known or state()
            found.append(usable(word, *known) if known else word)
        except Unusable as unusable:
            lost.append(str(unusable))
    return found, lost


def _is_loopback(word):
    """Whether it is an address of the loopback network, which nobody can take away: trials need no more than that."""
    try:
        return ipaddress.ip_address(word).is_loopback
    except ValueError:
        return False


def usable(word, links, addresses):
    """The address that a word means: an address of this host, a host name of it, or a link's first one.

    That of a link is its first IPv4 address that is valid everywhere, else its first such IPv6 address. Raises Unusable
    when it is not this host's or nothing comes through its link.
    """
    link = next((link for link in links if link.name == word), None)
    if link is not None:
        mine = [one for one in addresses if one.link == link and one.is_first_choice]
        if not mine:
            raise Unusable(link.flaw or f"link {word} has no address")
        chosen = min(mine, key=lambda one: ":" in one.text)
        text = chosen.text
    else:
        text = _address(word)
        chosen = next((one for one in addresses if one.covers(ipaddress.ip_address(text))), None)
        if chosen is None:
            known = ", ".join(one.text for one in addresses)
            raise Unusable(f"{text} is not an address of this host, which has {known or 'none'}")
    if chosen.flaw:
        raise Unusable(chosen.flaw)
    return text


def _address(word):
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        pass
    try:
        return socket.getaddrinfo(word, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise Unusable(f"{word} is neither a link nor an address of this host") from error


def changes():
    """A socket on which something arrives when a link or an address of this host changes: a call to look, no more."""
    told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    told.bind((0, LINK | IPV4_ADDRESS | IPV6_ADDRESS))
    return told
