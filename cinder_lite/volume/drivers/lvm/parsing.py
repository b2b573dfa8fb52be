"""Parses the output of LVM commands: reports and error messages."""

import dataclasses
import json
import re

#: Patterns of error messages.
GONE = re.compile(r"(Failed to find logical volume|[Ll]ogical volume \S+ not found|LV \S+ not found"
                  r"|Existing logical volume .* not found)", re.I)
EXISTS = re.compile(r"Logical Volume \S+ already exists", re.I)
IN_USE = re.compile(r"Logical volume \S+ (in use|is used by another device|contains a filesystem in use)", re.I)
SAME_SIZE = re.compile(r"matches existing size")
SMALLER = re.compile(r"not larger than existing size")
GROUP_GONE = re.compile(r"Volume group \S+ not found")
NOISE = re.compile(r"^(WARNING: |File descriptor |THIS MAY DESTROY|Cannot process volume group)|^$")


@dataclasses.dataclass(frozen=True)
class Row:
    """One logical volume. Sizes are in bytes; `attr` are the ten letters of `lvs`; percentages may be None."""

    name: str
    size: int
    attr: str
    origin: str
    origin_size: int
    pool: str
    data_percent: float | None
    metadata_percent: float | None
    metadata_size: int
    health: str
    tags: frozenset[str]

    @property
    def is_pool(self) -> bool:
        return self.attr[0] == "t"

    @property
    def is_thin(self) -> bool:
        return self.attr[0] == "V"

    @property
    def is_cow(self) -> bool:
        """Whether it is a copy-on-write snapshot."""
        return self.attr[0] in "sS"

    @property
    def is_lost(self) -> bool:
        """Whether it is a snapshot that has overflowed."""
        return self.attr[4] in "IS"

    @property
    def is_active(self) -> bool:
        return self.attr[4] != "-"

    @property
    def is_open(self) -> bool:
        return self.attr[5] == "o"

    def tag(self, prefix: str) -> int | None:
        """The number after a tag's prefix, None if there is no such tag."""
        found = [tag.removeprefix(prefix) for tag in self.tags if tag.startswith(prefix)]
        return int(found[0]) if found else None


@dataclasses.dataclass(frozen=True)
class Group:
    """A volume group. Sizes are in bytes."""

    size: int
    free: int
    attr: str
    missing: int
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)


def group(text: str) -> Group:
    """The Group in the output of commands.report."""
    (report,) = json.loads(text)["report"]
    (found,) = report["vg"]
    return Group(int(found["vg_size"]), int(found["vg_free"]), found["vg_attr"], int(found["vg_missing_pv_count"]),
                 _rows(report))


def rows(text: str) -> tuple[Row, ...]:
    """The Rows in the output of commands.rows, without LVM's hidden volumes."""
    return tuple(row for report in json.loads(text)["report"] for row in _rows(report))


def _rows(report):
    return tuple(Row(
        name=line["lv_name"], size=int(line["lv_size"]), attr=line["lv_attr"], origin=line["origin"],
        origin_size=int(line["origin_size"] or 0), pool=line["pool_lv"], data_percent=_percent(line["data_percent"]),
        metadata_percent=_percent(line["metadata_percent"]), metadata_size=int(line["lv_metadata_size"] or 0),
        health=line["lv_health_status"], tags=frozenset(filter(None, line["lv_tags"].split(","))))
        for line in report["lv"])


def _percent(text):
    return float(text) if text else None


def error_message(stderr: str) -> str:
    """The error message of a failed command, on one line, without warnings."""
    lines = [line.strip() for line in stderr.splitlines()]
    return "; ".join(line.rstrip(".") for line in lines if not NOISE.match(line))
