"""What handlers of several resources do alike: pages, metadata keys."""

from cinder_lite import errors
from cinder_lite.api.filters import COUNT_SINCE
from cinder_lite.api.route import Page


def wants_count(req):
    """Whether the request asks how many rows there are before paging."""
    return req.at(COUNT_SINCE) and req.flag("with_count")


def page(rows, paging, count=None):
    """A page: a next link follows when it is full. With a count clients compare that with the limit, so it decides."""
    return Page(rows, bool(rows) and paging.limit <= (len(rows) if count is None else count), count)


def present(metadata, key, kind, id):
    """The value of the key. Raises NotFound."""
    if key not in metadata:
        raise errors.MetadataNotFound(key=key, kind=kind, id=id)
    return metadata[key]


def same_key(req):
    """Refuse a body whose one key is not the path's."""
    if req.key not in req.body:
        raise errors.BadRequest(f"The key in the body must be the one in the path, '{req.key}'.")
