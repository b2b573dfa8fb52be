"""Resources of other projects that depend on one's own: an action that would take them along is refused."""

from cinder_lite import errors


def check(ctx, owner, kind, rows):
    """Raise InvalidState unless the requester may act on all rows: those of the owner's `kind` that the action includes."""
    count = sum(not ctx.sees(row.project_id) for row in rows)
    if count:
        raise errors.InvalidState(kind=owner, reason=(
            f"it has {count} {kind}{'s' if count > 1 else ''} of another project, which only that project or an "
            "administrator can act on"))
