"""Builds LVM command lines; each function returns the arguments of one command."""

from collections.abc import Iterable

#: Tags: an incomplete volume, the first byte to zero of an extended volume, the size of a snapshot.
PART, ZERO_FROM, SIZE = "cinder-lite-part", "cinder-lite-zero-from=", "cinder-lite-size="

ROWS = ("lv_name,lv_size,lv_attr,origin,origin_size,pool_lv,data_percent,metadata_percent,lv_metadata_size,"
        "lv_health_status,lv_tags")
JSON = ("--reportformat", "json", "--units", "b", "--nosuffix")


def report(group: str) -> list[str]:
    """The group, its physical and its logical volumes."""
    return ["fullreport", *JSON, "--configreport", "vg", "-o", "vg_name,vg_size,vg_free,vg_attr,vg_missing_pv_count",
            "--configreport", "pv", "-o", "pv_name", "--configreport", "lv", "-o", ROWS,
            "--configreport", "pvseg", "-o", "pvseg_start", "--configreport", "seg", "-o", "lv_name", group]


def rows(group: str) -> list[str]:
    """The logical volumes of the group."""
    return ["lvs", *JSON, "-o", ROWS, group]


def create_pool(group: str, pool: str) -> list[str]:
    """A thin pool of nearly all free space; the rest is for its metadata to grow."""
    return ["lvcreate", "-y", "-l", "95%FREE", "--thinpool", pool, group]


def create_thin(group: str, pool: str, name: str, size: int) -> list[str]:
    return ["lvcreate", "-y", "-V", f"{size}b", "--thinpool", pool, "-n", name, group]


def create_thick(group: str, name: str, size: int, mirrors: int, tags: Iterable[str]) -> list[str]:
    copies = ["--type", "raid1", "-m", str(mirrors), "--nosync"] if mirrors else []
    return ["lvcreate", "-y", "-L", f"{size}b", "-n", name, *copies, *tagged(tags), group]


def thin_snapshot(group: str, source: str, name: str, active: bool) -> list[str]:
    """A thin volume that shares the blocks of another; an inactive one stays inactive when the host boots."""
    return ["lvcreate", "-y", "-s", *(["-kn", "-ay"] if active else []), "-n", name, f"{group}/{source}"]


def thick_snapshot(group: str, source: str, name: str, percent: int, tags: Iterable[str]) -> list[str]:
    return ["lvcreate", "-y", "-s", "-l", f"{percent}%ORIGIN", "-n", name, *tagged(tags), f"{group}/{source}"]


def tagged(tags: Iterable[str]) -> list[str]:
    return [word for tag in tags for word in ("--addtag", tag)]


def add_tag(group: str, name: str, tag: str) -> list[str]:
    return ["lvchange", "--addtag", tag, f"{group}/{name}"]


def remove_tag(group: str, name: str, tag: str) -> list[str]:
    return ["lvchange", "--deltag", tag, f"{group}/{name}"]


def activate(group: str, name: str) -> list[str]:
    return ["lvchange", "-y", "-ay", "-K", f"{group}/{name}"]


def deactivate(group: str, name: str) -> list[str]:
    return ["lvchange", "-y", "-an", f"{group}/{name}"]


def extend(group: str, name: str, size: int) -> list[str]:
    return ["lvextend", "-L", f"{size}b", f"{group}/{name}"]


def reduce(group: str, name: str, size: int) -> list[str]:
    return ["lvreduce", "-f", "-L", f"{size}b", f"{group}/{name}"]


def remove(group: str, name: str) -> list[str]:
    """Removes a volume's copy-on-write snapshots too; the caller makes sure that there are none."""
    return ["lvremove", "-f", f"{group}/{name}"]


def rename(group: str, old: str, new: str) -> list[str]:
    return ["lvrename", group, old, new]
