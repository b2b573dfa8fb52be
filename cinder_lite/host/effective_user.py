"""Run a command that root starts as the owner of the service's data, which is the user of the service.

Files that it creates belong to the service, and it has the service's permissions. Root stays the saved user: files that
are named on the command line are still opened as root.
"""

import contextlib
import os
import pwd
from collections.abc import Iterator


@contextlib.contextmanager
def as_owner(path: str | os.PathLike[str]) -> Iterator[None]:
    """If run by root, run the block as the owner of a path, unless that is root or unknown to this host."""
    owner = _owner(path) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    groups, home = os.getgroups(), os.environ.get("HOME")
    os.setgroups(os.getgrouplist(owner.pw_name, owner.pw_gid))
    # Libraries look for their user's files there.
    os.environ["HOME"] = owner.pw_dir
    _become(owner.pw_uid, owner.pw_gid)
    try:
        yield
    finally:
        _become(0, 0)
        os.setgroups(groups)
        if home is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = home


@contextlib.contextmanager
def as_invoker() -> Iterator[None]:
    """Run the block as root again, if root has started the command."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 or os.getresuid()[2] != 0:
        yield
        return
    _become(0, 0)
    try:
        yield
    finally:
        _become(user, group)


def name() -> str:
    """The name of the effective user, or its number if it has none."""
    found = os.geteuid()
    try:
        return pwd.getpwuid(found).pw_name
    except KeyError:
        return str(found)


def _owner(path):
    """The passwd entry of a path's owner; None for root, for a user without an entry, and without the path."""
    try:
        found = os.stat(path).st_uid
        return pwd.getpwuid(found) if found != 0 else None
    except (FileNotFoundError, KeyError):
        return None


def _become(user, group):
    """Change the effective user and group, with root as the saved user, which permits changing back."""
    os.setresuid(0, 0, 0)
    os.setresgid(group, group, 0)
    os.setresuid(user, user, 0)
