"""How the work of a job can end other than well: it is refused, interrupted, or failed with a reason."""

import contextlib
import logging
import os
from collections.abc import Iterator

from cinder_lite import db, errors

LOG = logging.getLogger(__name__)


class Refused(errors.Explained):
    """The work cannot succeed; the text is the reason for the user. `detail` is a cause from messages.DETAILS.

    `public` is the reason for members where the other one is for administrators.
    """

    def __init__(self, reason: str, detail: str = "unknown", public: str | None = None) -> None:
        super().__init__(reason)
        self.detail, self.for_members = detail, public


class Interrupted(Exception):
    """The work stopped because the service stops or another one does not answer; the job is handed back."""


def found(row: db.Row | None, what: str = "it") -> db.Row:
    """Return the row. Raises Refused when there is none."""
    if row is None:
        raise Refused(f"{what} has been deleted meanwhile")
    return row


def reason_of(error: BaseException, job: db.Row) -> errors.Reason:
    """The reason why a job failed, for its owner: the text of an unexpected error stands in the log alone."""
    if isinstance(error, errors.Explained):
        return errors.Reason.of(error)
    if isinstance(error, OSError) and error.errno:
        return errors.Reason(f"error on the host of the service: {os.strerror(error.errno)}", errors.HIDDEN)
    return errors.Reason(f"unexpected error; see the service's log for {job.request_id or job.id}")


@contextlib.contextmanager
def quiet(what: str) -> Iterator[None]:
    """Log a failure of `what` and continue: something else cleans up later."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller's own error matters more
        LOG.warning("%s failed: %s", what, error)
