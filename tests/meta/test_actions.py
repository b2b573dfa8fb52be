"""The table of actions: every row is whole, every name in it leads somewhere, and what is derived from it is up to
date."""

import dataclasses

import pytest

from cinder_lite import states
from cinder_lite.backup.manager import BackupManager
from cinder_lite.db import messages, schema
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import KINDS
from cinder_lite.nova.events import ServerEvents
from cinder_lite.scheduler.manager import PLACEMENTS
from cinder_lite.states import lookup, registry
from cinder_lite.volume.jobs.creation import CreationJobs
from cinder_lite.volume.jobs.groups import GroupJobs
from cinder_lite.volume.jobs.images import ImageJobs
from cinder_lite.volume.jobs.manage import ManageJobs
from cinder_lite.volume.jobs.migration import MigrationJobs
from cinder_lite.volume.jobs.snapshots import SnapshotJobs
from cinder_lite.volume.jobs.volumes import VolumeJobs
from tools import action_table

OWNERS = {"creation": CreationJobs, "volumes": VolumeJobs, "snapshots": SnapshotJobs,
          "groups": GroupJobs, "images": ImageJobs, "manage": ManageJobs,
          "migration": MigrationJobs, "servers": ServerEvents, "backups": BackupManager}
ROWS = [pytest.param(kind, row, id=f"{kind}-{row.name}") for kind, row in lookup.rows()]
CLASSES = [value for value in vars(states).values()
           if isinstance(value, type) and issubclass(value, states.Hold) and value is not states.Hold]
TABLES = {"volume": schema.volumes, "snapshot": schema.snapshots, "backup": schema.backups}


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_a_row_is_whole(kind, row):
    assert registry.lacking(row) == []
    for action, cause in (row.message, row.no_backend, *row.message_at.values()) if row.message else ():
        assert action in messages.ACTIONS and cause in messages.DETAILS


@pytest.mark.parametrize("field", ["message", "holds", "event", "remedy"])
def test_a_row_that_lacks_something_is_refused(field):
    row = states.ACTIONS["volume"]["extend"]
    empty = dataclasses.replace(row, name="stretch", **{field: () if field == "holds" else None})
    with pytest.raises(ValueError, match=f"the action stretch of volume lacks: .*{field}"):
        registry.register("volume", empty)
    assert "stretch" not in states.ACTIONS["volume"]


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_every_name_of_a_row_leads_somewhere(kind, row):
    for stage, name in row.work.items():
        if stage == states.SCHEDULER:
            assert name in PLACEMENTS or name == "group"
        else:
            owner, _, method = name.partition(".")
            assert callable(getattr(OWNERS[owner], method))
    for hold in lookup.members_of(row):
        further = states.ACTIONS[hold.kind][hold.action]
        assert further.remedy or further.no_remedy
        if isinstance(hold, states.Members):
            assert hold.column in TABLES[hold.kind].c
        else:
            assert hold.column in TABLES[kind].c


@pytest.mark.parametrize("hold", CLASSES, ids=lambda hold: hold.__name__)
def test_every_hold_is_claimed_released_and_used(hold):
    own = vars(holds.OF[hold])
    assert "release" in own
    assert ("claim" in own) != bool(own.get("no_claim")), "a claim, or the reason why there is none"
    assert any(one for _, row in lookup.rows() for one in row.held(hold))


def test_holds_have_no_other_implementation():
    assert set(holds.OF) == set(CLASSES) and set(KINDS) == set(states.ACTIONS)


def test_the_table_of_the_documentation_is_that_of_the_code():
    page = action_table.PAGE.read_text()
    assert page == action_table.written(page), "run python tools/action_table.py"
