"""Gives a complete file its final name, unless there is a file of that name."""

import errno
import os

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def name_new(path: str, name: str) -> None:
    """Give the file `path` the name `name`; it may keep the former one too. Raises FileExistsError, which is decided by
    the file system where it has links."""
    try:
        os.link(path, name)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from error
        os.rename(path, name)
