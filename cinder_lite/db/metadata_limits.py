"""Limits the metadata and specs of one resource."""

from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import errors

#: Maximum number of characters of all keys and values of one resource.
MOST_TEXT = 262144


def check_items(conf: cfg.ConfigOpts, new: Mapping[str, str | None],
                present: Mapping[str, str | None] | None = None) -> None:
    """Raise InvalidInput if metadata or specs exceed their limits; existing ones may stay above them but not grow."""
    present = present or {}
    if len(new) > conf.max_metadata_items and len(new) > len(present):
        raise errors.InvalidInput(reason=f"A resource can have {conf.max_metadata_items} items of metadata or specs at "
                                         f"most (max_metadata_items), not {len(new)}.")
    length, before = (sum(len(key) + len(value or "") for key, value in one.items()) for one in (new, present))
    if length > MOST_TEXT and length > before:
        raise errors.InvalidInput(reason=f"The metadata or specs of a resource can have {MOST_TEXT} characters "
                                         f"together, not {length}.")
