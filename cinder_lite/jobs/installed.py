"""Adds the actions of installed packages to the table of actions, by entry points."""

from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.db import messages
from cinder_lite.states import registry

#: Entry points that lead to {kind: [states.Action]}.
NAMESPACE = "cinder_lite.actions"


def register_actions() -> None:
    """Register the rows, once or again. Raises Misconfigured for one that cannot be used."""
    for name, added in plugins.every(NAMESPACE).items():
        for kind, rows in added.items():
            for row in rows:
                try:
                    registry.register(kind, row)
                except ValueError as error:
                    raise errors.Misconfigured(f"{plugins.origin(NAMESPACE, name)}: {error}") from error
                for action, cause in (row.message, *row.message_at.values()) if row.message else ():
                    if action not in messages.ACTIONS or cause not in messages.DETAILS:
                        raise errors.Misconfigured(f"{plugins.origin(NAMESPACE, name)}: the action {row.name} has the "
                                                   f"message {action}, {cause}, which does not exist")
