"""Defines a finding: one inconsistency, with its remedy."""

import dataclasses
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from cinder_lite import db


class NotRepaired(Exception):
    """A repair failed; the text gives the reason."""


#: repair(database, conf) returns a description of the change, or "" if there was nothing left to repair.
Repair = Callable[[db.Database, cfg.ConfigOpts], str]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One inconsistency.

    `invariant` names the violated rule and `subject` the offender (ids and numbers; equal in two passes that find the
    same inconsistency). `text` describes the inconsistency, `remedy` the effect of --repair or the manual fix.
    `repair` raises NotRepaired when it fails and is None if the service cannot repair it. `orphan` marks data without
    a database row, which is deleted only on request.
    """

    invariant: str
    subject: tuple[Any, ...]
    text: str
    remedy: str
    repair: Repair | None = None
    orphan: bool = False

    @property
    def key(self) -> tuple[str, tuple[Any, ...]]:
        return self.invariant, self.subject

    def plain(self) -> dict[str, Any]:
        """The finding as data for JSON."""
        return {"invariant": self.invariant, "subject": list(self.subject), "text": self.text, "remedy": self.remedy,
                "repairable": self.repair is not None}
