"""cinder-lite-manage volume and backup update-host: assigns volumes or backups to another host, backend or pool."""

import argparse

from cinder_lite.db import rename_host, services
from cinder_lite.db.host_strings import service_of
from cinder_lite.import_cinder.source import HostMap
from cinder_lite.manage import OK, Commands, Failed, counted
from cinder_lite.manage.services import expect_down
from cinder_lite.service.process import Process


def update_volumes(shared: Process, args: argparse.Namespace) -> int:
    """assign the volumes of a host, host@backend or host@backend#pool to another one"""
    for name in (args.current, args.new):
        if not all(name.replace("@", "#").split("#")):
            raise Failed(f"{name} is not of the form host, host@backend or host@backend#pool")
    if (args.current.count("@"), args.current.count("#")) != (args.new.count("@"), args.new.count("#")):
        raise Failed(f"{args.current} and {args.new} must be of one kind: two hosts, two host@backend or two pools")
    with shared.db.write() as tx:
        old = [row.host for row in services.page(tx, host=service_of(args.current), binary="cinder-volume")]
        for host in old:
            expect_down(tx, shared.conf, "cinder-volume", host)
        _expect_no_jobs(tx, args.current, args.new)
        counts = rename_host.rename(tx, args.current, args.new, HostMap({args.current: args.new}))
    if not any(counts.values()):
        raise Failed(f"nothing is on {args.current}")
    moved = ", ".join(counted(number, noun) for noun, number in counts.items())
    print(f"Moved {moved} from {args.current} to {args.new}.")
    for host in old:
        print(f"If {host} does not come back: cinder-lite-manage service remove cinder-volume {host}")
    return OK


def _expect_no_jobs(tx, current, new):
    """Jobs wait for a backend, not for a pool: moving one pool of several would move too many of them or none."""
    here = service_of(current)
    if "#" in current and here != service_of(new) and rename_host.jobs_at(tx, here):
        raise Failed(f"{here} has {counted(rename_host.jobs_at(tx, here), 'pending job')}: start that service and let "
                     f"them end, or move all of {here}")


def update_backups(shared: Process, args: argparse.Namespace) -> int:
    """assign the backups of a backup service to another one"""
    with shared.db.write() as tx:
        if services.find(tx, "cinder-backup", args.current) is not None:
            expect_down(tx, shared.conf, "cinder-backup", args.current)
        moved = rename_host.rename_backups(tx, args.current, args.new)
    if not moved:
        raise Failed(f"{args.current} has no backups")
    print(f"Moved {counted(moved, 'backup')} from {args.current} to {args.new}.")
    return OK


_NAMES = (("current", {"metavar": "CURRENT", "help": "the present name"}),
          ("new", {"metavar": "NEW", "help": "the new name"}))
COMMANDS: Commands = {
    ("volume", "update-host"): (update_volumes, _NAMES, True),
    ("backup", "update-host"): (update_backups, _NAMES, True),
}
