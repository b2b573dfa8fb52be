"""Volumes with null and equal sort keys, and walks through lists of them, on any database."""

import datetime
import itertools

import sqlalchemy as sa

from cinder_lite import context
from cinder_lite.db import listing, metadata_index, schema, volumes

BORN = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
NAMES = (None, "a", "b", None, "B", "a")
SORTS = [((key, direction),) for key in ("created_at", "id", "name", "size", "description", "bootable")
         for direction in ("asc", "desc")]
SORTS += [(), (("size", "desc"), ("name", "asc")), (("name", "desc"), ("size", "asc"))]
FILTERS = ({}, {"tier": "gold"}, {"tier": "gold", "site": "here"}, {"site": "nowhere"})
CTX = context.Context(user_id="u", project_id="mine", is_admin=True, overwrite=False)


def fill(tx):
    """36 volumes, half of them another project's."""
    rows = []
    for n, (name, size, project) in enumerate(itertools.product(NAMES, (1, 2, 1), ("mine", "theirs"))):
        rows.append({
            "id": f"{n * 7 % 36:036d}", "project_id": project, "user_id": "u", "name": name, "size": size,
            "description": name and name.upper(), "status": "available", "bootable": n % 5 == 0, "facts": {},
            "export": {}, "admin_metadata": {},
            "metadata": {"tier": "gold" if n % 3 else "tin", "site": "here" if n % 4 else "there"},
            "image_metadata": {},
            "created_at": BORN + datetime.timedelta(seconds=n // 5)})
    tx.execute(sa.insert(schema.volumes), rows)
    tx.execute(sa.insert(schema.metadata_index), metadata_index.rows("volume", rows))
    return rows


def expected(rows, sort, pairs, all_projects):
    """The ids in the order of the list; a null is below all else."""
    first = sort[0][1] if sort else "desc"
    keys = list(sort or (("created_at", "desc"),))
    keys += [(key, first) for key in ("created_at", "id") if key not in dict(keys)]
    found = [row for row in rows if pairs.items() <= row["metadata"].items()
             and (all_projects or row["project_id"] == CTX.project_id)]
    for key, direction in reversed(keys):
        found.sort(key=lambda row: (row[key] is not None, row[key] or 0), reverse=direction == "desc")
    return [row["id"] for row in found]


def walked(tx, sort, pairs, all_projects, limit, by_offset=False):
    """The ids of all pages, each behind the last of the one before, or at its offset."""
    where = [metadata_index.HasMetadata("volume", pairs, None if all_projects else CTX.project_id)] if pairs else []
    visible, ids, marker = volumes.visible_to(CTX, all_projects), [], None
    while True:
        paging = listing.Paging(limit=limit, sort=sort, **({"offset": len(ids)} if by_offset else {"marker": marker}))
        page = [row.id for row in volumes.page(tx, where, paging, visible, volumes.SHOWN)]
        ids += page
        if len(page) < limit:
            return ids
        marker = ids[-1]
