"""The language of tgtadm: the arguments that ask tgtd for something, and what its answers mean. Runs nothing."""

import dataclasses
import re

EXISTS = "already exist"
GONE = ("can't find", "does not exist")
REFUSED = "invalid request"
BUSY = "still active", "has active"
DOWN = ("failed to send request", "can't send the request")

#: The page of caching (SBC-3, 6.5.5) without WCE, whose third byte is 4: tgtd writes through. As tgt-admin has it.
UNCACHED = "8:0:18:0x10:0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0"

_TARGET = re.compile(r"^Target (\d+): (\S+)$", re.M)
_FACT = re.compile(r"^( *)([^:]+):(?: (.*))?$")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A target as tgtd has it; `path`, `online` and `read_only` are those of LUN 1, None where there is no such LUN."""

    tid: int
    iqn: str
    path: str | None = None
    online: bool = False
    read_only: bool = False
    in_use: bool = False
    accounts: tuple = ()
    allowed: tuple = ()


def ask(mode, op, *more):
    """The arguments after `tgtadm --control-port N`."""
    return ["--lld", "iscsi", "--mode", mode, "--op", op, *(str(word) for word in more)]


def new_target(tid, iqn):
    return ask("target", "new", "--tid", tid, "--targetname", iqn)


def delete_target(tid):
    return ask("target", "delete", "--tid", tid)


def allow(tid, initiator="ALL"):
    return ask("target", "bind", "--tid", tid, "--initiator-address", initiator)


def disallow(tid, initiator):
    return ask("target", "unbind", "--tid", tid, "--initiator-address", initiator)


def new_lun(tid, path):
    return ask("logicalunit", "new", "--tid", tid, "--lun", 1, "--backing-store", path)


def delete_lun(tid):
    return ask("logicalunit", "delete", "--tid", tid, "--lun", 1)


def describe_lun(tid, serial, read_only, cached, thin):
    """What the initiator learns of the disk; `serial` is 32 hexadecimal digits. `thin`: that it can give room back.

    tgtd's own serial number counts targets, so that disks of two hosts, or of one host before and after a restart, look
    like one disk to multipath. tgtd makes an NAA identifier of the bytes of scsi_id: 6 is its type with room for all of
    them (SPC-4, 7.8.6.6.5), 001405 the company number that Linux's targets use.
    """
    facts = {"vendor_id": "CINDER", "product_id": "VOLUME", "scsi_id": f"6001405{serial[7:]}", "scsi_sn": serial,
             "thin_provisioning": int(thin), "readonly": int(read_only)}
    if not cached:
        facts["mode_page"] = UNCACHED
    return ask("logicalunit", "update", "--tid", tid, "--lun", 1,
               "--params", ",".join(f"{key}={value}" for key, value in facts.items()))


def new_account(user, secret):
    return ask("account", "new", "--user", user, "--password", secret)


def delete_account(user):
    return ask("account", "delete", "--user", user)


def bind_account(tid, user):
    return ask("account", "bind", "--tid", tid, "--user", user)


def delete_connection(tid, session, connection):
    return ask("conn", "delete", "--tid", tid, "--sid", session, "--cid", connection)


def new_portal(portal):
    return ask("portal", "new", "--param", f"portal={portal}")


SHOW_TARGETS = ask("target", "show")
SHOW_PORTALS = ask("portal", "show")


def show_connections(tid):
    return ask("conn", "show", "--tid", tid)


def described(arguments):
    """What arguments ask for, without secrets, for messages."""
    return f"{arguments[5]} {arguments[3]}"


def targets(text):
    """{iqn: tid} of everything that SHOW_TARGETS answered."""
    return {match[2]: int(match[1]) for match in _TARGET.finditer(text)}


def targets_open(text):
    """{iqn: whether initiators are let in} of everything that SHOW_TARGETS answered."""
    found = list(_TARGET.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {match[2]: "    ACL information:\n        ALL" in text[match.end():end] for match, end in zip(found, ends)}


def target(text, iqn):
    """The Shown of that name in what SHOW_TARGETS answered, None when there is none."""
    begin = next((match for match in _TARGET.finditer(text) if match[2] == iqn), None)
    if begin is None:
        return None
    end = _TARGET.search(text, begin.end())
    heading, lun, facts = None, None, {}
    lists = {"Account information": [], "ACL information": [], "I_T nexus information": []}
    for line in text[begin.end():end.start() if end else len(text)].splitlines():
        depth, fact = len(line) - len(line.lstrip()), _FACT.match(line)
        if depth == 4:
            heading = line.strip().rstrip(":")
        elif heading in lists:
            lists[heading].append(line.strip())
        elif heading == "LUN information" and depth == 8 and fact:
            lun = fact[3]
        elif lun == "1" and fact:
            facts[fact[2].strip()] = fact[3]
    return Shown(int(begin[1]), iqn, path=facts.get("Backing store path"), online=facts.get("Online") == "Yes",
                 read_only=facts.get("Readonly") == "Yes", in_use=bool(lists["I_T nexus information"]),
                 accounts=tuple(lists["Account information"]), allowed=tuple(lists["ACL information"]))


def connections(text):
    """[(session, connection)] of what show_connections answered."""
    found, session = [], None
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "Session":
            session = value
        elif key == "Connection":
            found.append((session, value))
    return found


def portals(text):
    """{"address:port"} of what SHOW_PORTALS answered ("Portal: 127.0.0.1:3260,1")."""
    return {line.partition(": ")[2].rpartition(",")[0] for line in text.splitlines() if line.startswith("Portal: ")}
