"""Claims and releases what the actions of states.py hold: each class of holds has both in one class of a module here.

Whoever begins or ends an action comes here. Modules of the package import from each other, never from here.
"""

from cinder_lite.jobs.holds import cache_entry, destination, growth, new_type, users
from cinder_lite.jobs.holds.base import OF, args_of, locked
from cinder_lite.jobs.holds.cleanup import schedule_cleanup, schedule_copy_cleanup, schedule_former_cleanup
from cinder_lite.jobs.holds.counted import count
from cinder_lite.jobs.holds.failure import end, fail, fail_without_job, release
from cinder_lite.jobs.holds.held import held_ids
from cinder_lite.jobs.holds.recounted import count_size, forget
from cinder_lite.jobs.holds.source import source_id
from cinder_lite.jobs.holds.success import keep, needs_row, succeed

__all__ = ["OF", "args_of", "cache_entry", "count", "count_size", "destination", "end", "fail", "fail_without_job",
           "forget", "growth", "held_ids", "keep", "locked", "needs_row", "new_type", "release", "schedule_cleanup",
           "schedule_copy_cleanup", "schedule_former_cleanup", "source_id", "succeed", "users"]
