"""Checks the lengths of names in paths and tokens."""

from cinder_lite import errors

#: The number of characters of a name that every column can store.
MAX_NAME = 255


def check_length(subject: str, text: str | None) -> None:
    """Raise BadRequest for a name of a path or token that is too long to be stored."""
    if len(text or "") > MAX_NAME:
        raise errors.BadRequest(f"{subject} has {len(text or '')} characters, more than {MAX_NAME}.")
