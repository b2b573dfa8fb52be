"""Builds the arguments of tgtadm and parses its output; runs nothing."""

import dataclasses
import re
from collections.abc import Sequence

EXISTS = "already exist"
GONE = ("can't find", "does not exist")
REFUSED = "invalid request"
BUSY = "still active", "has active"
DOWN = ("failed to send request", "can't send the request")

#: The caching mode page (SBC-3, 6.5.5) without WCE (third byte 4), so that tgtd writes through; as in tgt-admin.
UNCACHED = "8:0:18:0x10:0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0"

_TARGET = re.compile(r"^Target (\d+): (\S+)$", re.M)
_FACT = re.compile(r"^( *)([^:]+):(?: (.*))?$")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A target as tgtd shows it; `path`, `online` and `read_only` are those of LUN 1, `path` is None without it."""

    tid: int
    iqn: str
    path: str | None = None
    online: bool = False
    read_only: bool = False
    in_use: bool = False
    accounts: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


def ask(mode: str, op: str, *more: object) -> list[str]:
    """The arguments after `tgtadm --control-port N`."""
    return ["--lld", "iscsi", "--mode", mode, "--op", op, *(str(word) for word in more)]


def new_target(tid: int, iqn: str) -> list[str]:
    return ask("target", "new", "--tid", tid, "--targetname", iqn)


def delete_target(tid: int) -> list[str]:
    return ask("target", "delete", "--tid", tid)


def allow(tid: int, initiator: str = "ALL") -> list[str]:
    return ask("target", "bind", "--tid", tid, "--initiator-address", initiator)


def disallow(tid: int, initiator: str) -> list[str]:
    return ask("target", "unbind", "--tid", tid, "--initiator-address", initiator)


def new_lun(tid: int, path: str) -> list[str]:
    return ask("logicalunit", "new", "--tid", tid, "--lun", 1, "--backing-store", path)


def delete_lun(tid: int) -> list[str]:
    return ask("logicalunit", "delete", "--tid", tid, "--lun", 1)


def describe_lun(tid: int, serial: str, read_only: bool, cached: bool, thin: bool) -> list[str]:
    """Set the disk's description for initiators; `serial` is 32 hexadecimal digits, `thin`: blocks can be unmapped.

    tgtd's default serial number counts targets, so that disks of two hosts, or of one host before and after a restart,
    look like one disk to multipath. tgtd builds an NAA identifier from scsi_id: 6 is its type with 128 bits (SPC-4,
    7.8.6.6.5), 001405 the company id that Linux targets use.
    """
    facts = {"vendor_id": "CINDER", "product_id": "VOLUME", "scsi_id": f"6001405{serial[7:]}", "scsi_sn": serial,
             "thin_provisioning": int(thin), "readonly": int(read_only)}
    if not cached:
        facts["mode_page"] = UNCACHED
    return ask("logicalunit", "update", "--tid", tid, "--lun", 1,
               "--params", ",".join(f"{key}={value}" for key, value in facts.items()))


def new_account(user: str, secret: str) -> list[str]:
    return ask("account", "new", "--user", user, "--password", secret)


def delete_account(user: str) -> list[str]:
    return ask("account", "delete", "--user", user)


def bind_account(tid: int, user: str) -> list[str]:
    return ask("account", "bind", "--tid", tid, "--user", user)


def delete_connection(tid: int, session: str, connection: str) -> list[str]:
    return ask("conn", "delete", "--tid", tid, "--sid", session, "--cid", connection)


def new_portal(portal: str) -> list[str]:
    return ask("portal", "new", "--param", f"portal={portal}")


SHOW_TARGETS = ask("target", "show")
SHOW_PORTALS = ask("portal", "show")


def show_connections(tid: int) -> list[str]:
    return ask("conn", "show", "--tid", tid)


def described(arguments: Sequence[str]) -> str:
    """A description of the arguments for messages, without secrets."""
    return f"{arguments[5]} {arguments[3]}"


def targets(text: str) -> dict[str, int]:
    """{iqn: tid} from the output of SHOW_TARGETS."""
    return {match[2]: int(match[1]) for match in _TARGET.finditer(text)}


def targets_open(text: str) -> dict[str, bool]:
    """{iqn: whether initiators have access} from the output of SHOW_TARGETS."""
    found = list(_TARGET.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {match[2]: "    ACL information:\n        ALL" in text[match.end():end] for match, end in zip(found, ends)}


def target(text: str, iqn: str) -> Shown | None:
    """The target of that name in the output of SHOW_TARGETS, None if there is none."""
    begin = next((match for match in _TARGET.finditer(text) if match[2] == iqn), None)
    if begin is None:
        return None
    end = _TARGET.search(text, begin.end())
    heading, lun, facts = None, None, {}
    lists: dict[str | None, list[str]] = {"Account information": [], "ACL information": [], "I_T nexus information": []}
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


def connections(text: str) -> list[tuple[str, str]]:
    """[(session, connection)] from the output of show_connections."""
    found: list[tuple[str, str]] = []
    session = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "Session":
            session = value
        elif key == "Connection":
            found.append((session, value))
    return found


def portals(text: str) -> set[str]:
    """{"address:port"} from the output of SHOW_PORTALS ("Portal: 127.0.0.1:3260,1")."""
    return {line.partition(": ")[2].rpartition(",")[0] for line in text.splitlines() if line.startswith("Portal: ")}
