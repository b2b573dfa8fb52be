"""Refuses actions that would affect dependent resources of other projects."""

from collections.abc import Iterable

from cinder_lite import context, db, errors


def check(ctx: context.Context, owner: str, kind: str, rows: Iterable[db.Row]) -> None:
    """Raise InvalidState unless the requester may act on all `rows`, the resources of `kind` that the action includes.

    `owner` is the kind of the resource that the action is requested for.
    """
    count = sum(not ctx.sees(row.project_id) for row in rows)
    if count:
        raise errors.InvalidState(kind=owner, reason=(
            f"it has {count} {kind}{'s' if count > 1 else ''} of another project, which only that project or an "
            "administrator can act on"))
