"""Binds the handlers of jobs by the names in the table of actions."""

import functools
from collections.abc import Callable, Mapping

from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.jobs.work import Work
from cinder_lite.states import lookup


def bind(stage: str, owners: Mapping[str, object], place: object) -> dict[tuple[str, str], Callable[[Work], object]]:
    """{(kind, action): handler} of a stage, bound by the names in the table of actions.

    `owners` are the objects whose methods do the work, by name. A function from outside the package gets `place` (the
    backend, or the store) and the work. Raises Misconfigured for an unknown name.
    """
    return {(kind, row.name): _bound(row.work[stage], owners, place) for kind, row in lookup.rows()
            if stage in row.work}


def _bound(name, owners, place):
    if ":" in name:
        return functools.partial(plugins.function(name), place)
    owner, _, method = name.partition(".")
    try:
        return getattr(owners[owner], method)
    except (KeyError, AttributeError) as error:
        raise errors.Misconfigured(f"the table of actions names {name}, which does not exist") from error
