"""As whose user a command works that root starts: as the owner of the service's data, who is whom the service runs as.

What it makes there is then the service's, it is let in where the service is, and what it finds is what the service would
find. Root stays the saved user: files that are named on the command line, and what needs root, are still root's.
"""

import contextlib
import os
import pwd


@contextlib.contextmanager
def owning(path):
    """Root works as the owner of a path, if that is somebody else whom this host knows."""
    owner = _owner(path) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    groups, home = os.getgroups(), os.environ.get("HOME")
    os.setgroups(os.getgrouplist(owner.pw_name, owner.pw_gid))
    # Libraries look there for files of their user's.
    os.environ["HOME"] = owner.pw_dir
    _be(owner.pw_uid, owner.pw_gid)
    try:
        yield
    finally:
        _be(0, 0)
        os.setgroups(groups)
        if home is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = home


@contextlib.contextmanager
def who_started():
    """Be root again meanwhile, if root has started the command."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 or os.getresuid()[2] != 0:
        yield
        return
    _be(0, 0)
    try:
        yield
    finally:
        _be(user, group)


def name():
    """Who the process is at present."""
    found = os.geteuid()
    try:
        return pwd.getpwuid(found).pw_name
    except KeyError:
        return str(found)


def _owner(path):
    """Who owns a path, as the host's users have it; None for root, for somebody without a name, and where there is nothing."""
    try:
        found = os.stat(path).st_uid
        return pwd.getpwuid(found) if found != 0 else None
    except (FileNotFoundError, KeyError):
        return None


def _be(user, group):
    """Change both, with root as the saved user, who alone may do so."""
    os.setresuid(0, 0, 0)
    os.setresgid(group, group, 0)
    os.setresuid(user, user, 0)
