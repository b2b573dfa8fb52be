"""Builds LVM's command lines; each function returns the arguments of one command."""

#: Marks what is half made, and where the zeros of an extended volume have to begin.
PART, ZERO_FROM, SIZE = "cinder-lite-part", "cinder-lite-zero-from=", "cinder-lite-size="

ROWS = ("lv_name,lv_size,lv_attr,origin,origin_size,pool_lv,data_percent,metadata_percent,lv_metadata_size,"
        "lv_health_status,lv_tags")
JSON = ("--reportformat", "json", "--units", "b", "--nosuffix")


def report(group):
    """The group, its physical and its logical volumes."""
    return ["fullreport", *JSON, "--configreport", "vg", "-o", "vg_name,vg_size,vg_free,vg_attr,vg_missing_pv_count",
            "--configreport", "pv", "-o", "pv_name", "--configreport", "lv", "-o", ROWS,
            "--configreport", "pvseg", "-o", "pvseg_start", "--configreport", "seg", "-o", "lv_name", group]


def rows(group):
    """The logical volumes of the group."""
    return ["lvs", *JSON, "-o", ROWS, group]


def create_pool(group, pool):
    """A thin pool of nearly all room that is free: what is left is for its metadata to grow."""
    return ["lvcreate", "-y", "-l", "95%FREE", "--thinpool", pool, group]


def create_thin(group, pool, name, size):
    return ["lvcreate", "-y", "-V", f"{size}b", "--thinpool", pool, "-n", name, group]


def create_thick(group, name, size, mirrors, tags):
    copies = ["--type", "raid1", "-m", str(mirrors), "--nosync"] if mirrors else []
    return ["lvcreate", "-y", "-L", f"{size}b", "-n", name, *copies, *tagged(tags), group]


def thin_snapshot(group, source, name, active):
    """A thin volume that shares the blocks of another; one that is not active stays so when the host starts."""
    return ["lvcreate", "-y", "-s", *(["-kn", "-ay"] if active else []), "-n", name, f"{group}/{source}"]


def thick_snapshot(group, source, name, percent, tags):
    return ["lvcreate", "-y", "-s", "-l", f"{percent}%ORIGIN", "-n", name, *tagged(tags), f"{group}/{source}"]


def tagged(tags):
    return [word for tag in tags for word in ("--addtag", tag)]


def add_tag(group, name, tag):
    return ["lvchange", "--addtag", tag, f"{group}/{name}"]


def remove_tag(group, name, tag):
    return ["lvchange", "--deltag", tag, f"{group}/{name}"]


def activate(group, name):
    return ["lvchange", "-y", "-ay", "-K", f"{group}/{name}"]


def deactivate(group, name):
    return ["lvchange", "-y", "-an", f"{group}/{name}"]


def extend(group, name, size):
    return ["lvextend", "-L", f"{size}b", f"{group}/{name}"]


def extend_by(group, name, more):
    return ["lvextend", "-L", f"+{more}b", f"{group}/{name}"]


def reduce(group, name, size):
    return ["lvreduce", "-f", "-L", f"{size}b", f"{group}/{name}"]


def remove(group, name):
    """Removes a volume's copy-on-write snapshots too: see that there are none."""
    return ["lvremove", "-f", f"{group}/{name}"]


def rename(group, old, new):
    return ["lvrename", group, old, new]
