"""Claims and releases what actions hold (see states): each class of holds has both in one class of a module here.

Whoever begins or ends an action comes here. Modules of the package import from each other, never from here.
"""

from cinder_lite.jobs.holds import cache_entry, growth, new_type, users
from cinder_lite.jobs.holds.base import OF, Further, args_of, locked
from cinder_lite.jobs.holds.claims import begin, insert, place
from cinder_lite.jobs.holds.cleanup import schedule_copy_cleanup
from cinder_lite.jobs.holds.destination import leave_former_place
from cinder_lite.jobs.holds.failure import end, end_alone, fail, fail_without_job, release
from cinder_lite.jobs.holds.held import held_ids
from cinder_lite.jobs.holds.recounted import change_owner, count_size, leave_pool, succeed_without_job
from cinder_lite.jobs.holds.source import source_id
from cinder_lite.jobs.holds.success import keep, needs_row, succeed

__all__ = ["OF", "Further", "args_of", "begin", "cache_entry", "change_owner", "count_size", "end", "end_alone", "fail",
           "fail_without_job", "growth", "held_ids", "insert", "keep", "leave_former_place", "leave_pool",
           "locked", "needs_row", "new_type", "place", "release", "schedule_copy_cleanup", "source_id", "succeed",
           "succeed_without_job", "users"]
