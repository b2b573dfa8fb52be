"""Source trees of other releases: the former one from the history, and a generated later one."""

import os
import re
import shutil
import subprocess

from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.db import migrate
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.volume.rpcapi import VolumeRPC
from tests.services import daemons

#: The first revision that runs on the packages of today; a release's tag takes its place when there is one.
BEFORE = "1715e7780d527a5b27e7ba6e26cfdbed301d8eaf"
NEXT = f"{int(migrate.HEAD) + 1:04}"
MIGRATION = f'''"""What the next release might add."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{migrate.HEAD}"


def upgrade():
    op.add_column("volumes", sa.Column("origin", sa.String(255)))
    op.add_column("volumes", sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_volumes_origin", "volumes", ["origin"])
    op.create_table("tags", sa.Column("id", sa.String(36), primary_key=True), mysql_engine="InnoDB")
'''
#: The signature of run_job, whatever its annotations.
RUN_JOB = re.compile(r"    def run_job\(self, ctx[^)]*\)")


def _further_argument(package, interface, manager):
    """Changes that add an argument to a service's run_job."""
    version = f"1.{int(interface.version.partition('.')[2]) + 1}"
    return (
        (f"{package}/rpcapi.py", f'"{interface.topic}", "{interface.version}"', f'"{interface.topic}", "{version}"'),
        (f"{package}/rpcapi.py", RUN_JOB,
         f'    @interface.since("1.0", soon="{version}")\n    def run_job(self, ctx, job_id, soon=False)'),
        (f"{package}/{manager}.py", RUN_JOB, "    def run_job(self, ctx, job_id, soon=False)"))


#: What the next release changes: (file, text or pattern, its replacement).
CHANGES = (
    ("db/migrate.py", f'HEAD = "{migrate.HEAD}"', f'HEAD = "{NEXT}"'),
    ("db/schema.py", '    *_flags(False, "bootable", "multiattach"),\n',
     '    *_flags(False, "bootable", "multiattach", "pinned"),\n    sa.Column("origin", Name, index=True),\n'),
    *_further_argument("volume", VolumeRPC, "manager"),
    *_further_argument("scheduler", SchedulerRPC, "manager"),
    *_further_argument("backup", BackupRPC, "manager"),
    ("jobs/accepting.py", "run_job(ctx, job_id=accepted.job_id)", "run_job(ctx, job_id=accepted.job_id, soon=True)"),
)


def this(_directory):
    """The tree itself."""
    return daemons.TOP


def after(directory):
    """A generated next release: one more column, one more table, and new messages."""
    tree = os.path.join(directory, "after")
    shutil.copytree(os.path.join(daemons.TOP, "cinder_lite"), os.path.join(tree, "cinder_lite"),
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, changed in CHANGES:
        path = os.path.join(tree, "cinder_lite", name)
        with open(path) as file:
            text = file.read()
        pattern = before if isinstance(before, re.Pattern) else re.compile(re.escape(before))
        assert pattern.search(text), (name, before)
        with open(path, "w") as file:
            file.write(pattern.sub(lambda _: changed, text))
    with open(os.path.join(tree, "cinder_lite", "db", "migrations", "versions", f"{NEXT}_next.py"), "w") as file:
        file.write(MIGRATION)
    return tree


def before(directory):
    """The release before this one."""
    tree = os.path.join(directory, "before")
    os.mkdir(tree)
    packed = subprocess.run([*GIT, "archive", BEFORE, "cinder_lite"], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", tree], input=packed.stdout, check=True)
    return tree


GIT = ("git", "-C", daemons.TOP)


def with_history():
    """Whether this is a checkout with its history, which contains the former release."""
    return subprocess.run([*GIT, "cat-file", "-e", BEFORE], capture_output=True).returncode == 0
