"""What a finding is."""

import dataclasses
import typing


class NotRepaired(Exception):
    """A repair failed; the text says why."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be.

    `invariant` names the rule, `subject` what breaks it (ids and numbers: two looks that find the same have the same);
    `text` says what is off and `remedy` what --repair does about it, or what a person can do. `repair(db, conf)` does
    it and returns what it did, "" when there was nothing to do any more, or raises NotRepaired; None where nothing can be done from here.
    `orphan` marks data without a row, which is only deleted on request.
    """

    invariant: str
    subject: tuple
    text: str
    remedy: str
    repair: typing.Callable | None = None
    orphan: bool = False

    @property
    def key(self):
        return self.invariant, self.subject

    def plain(self):
        """As data, for JSON."""
        return {"invariant": self.invariant, "subject": list(self.subject), "text": self.text, "remedy": self.remedy,
                "repairable": self.repair is not None}
