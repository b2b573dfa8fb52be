"""The form of an action's row, and of what an action holds."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar


@dataclasses.dataclass(frozen=True)
class Hold:
    """Something that an action claims and that is released whoever ends it; both are in jobs/holds/."""

    #: Held by the row of the resource itself: who ends the action from outside decides what becomes of the row.
    of_row: ClassVar[bool] = False


H = TypeVar("H", bound=Hold)


@dataclasses.dataclass(frozen=True)
class Action:
    """One row: statuses it begins from (none: the row is new), status meanwhile, when done and when failed, and the
    rest."""

    name: str
    begins: tuple[str, ...]
    doing: str
    done: str
    failed: str
    #: Stage -> who does the work there: a placement of the scheduler, or "module.method" of a service's jobs, or
    #: "module:function" of a package from outside. The first is where it begins; empty: the API does it in one
    #: transaction.
    work: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: What it holds; else why a job holds nothing.
    holds: tuple[Hold, ...] = ()
    no_holds: str = ""
    #: Action and cause (db.messages) of the user message when it fails; when no backend was found; and at a stage.
    message: tuple[str, str] | None = None
    no_backend: tuple[str, str] = ("schedule", "no backend")
    message_at: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    #: The event type of its notifications, without .start and .end; else why there are none.
    event: str | None = None
    silent: str = ""
    #: How doctor repairs its status without a job; else why there is nothing to repair.
    remedy: str | None = None
    no_remedy: str = ""
    #: Whether the work changes data of the resource, of its source or members: others wait until it has stopped.
    writes: bool = False

    @property
    def stage(self) -> str | None:
        """The stage at which its job begins; None when there is no job."""
        return next(iter(self.work), None)

    def held(self, hold: type[H]) -> Iterator[H]:
        """Its holds of that class."""
        return (one for one in self.holds if isinstance(one, hold))
