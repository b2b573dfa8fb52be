"""Checks the scope of tokens: whether they are those of a project."""

from cinder_lite import context, errors
from cinder_lite.api import lengths, policy
from cinder_lite.api.route import Route


def expect_scope(ctx: context.Context) -> None:
    """Raise Forbidden for a token that is neither a project's nor a system administrator's.

    Raises BadRequest for ids that are too long to be stored.
    """
    for subject, id in (("project", ctx.project_id), ("user", ctx.user_id)):
        lengths.check_length(f"The token's {subject}", id)
    if ctx.project_id is None and not (ctx.system_scope and ctx.is_admin):
        raise errors.Forbidden("The token has no project; ask for one that is scoped to a project.")


def expect_project(ctx: context.Context, route: Route) -> None:
    """Raise Forbidden for a token without a project where the operation needs one.

    System administrators may read, and use the operations that only administrators may use.
    """
    if ctx.project_id is None and route.method != "GET" and not policy.is_for_administrators(route.policy):
        raise errors.Forbidden("The token has no project, which this operation needs; ask for one that is scoped to a "
                               "project.")
