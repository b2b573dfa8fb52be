"""Declares what implements a class of holds of the package states, and has the table of these implementations."""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import quotas
from cinder_lite.db.guards import Guard
from cinder_lite.jobs.lifecycle import KINDS

#: Class of a hold in the package states -> its implementation.
OF: dict[type[states.Hold], type["Holding"]] = {}


@dataclasses.dataclass(frozen=True)
class Further:
    """How the further resources of an action, its source or members, are claimed."""

    guards: Sequence[Guard] = ()
    refusal: type[errors.Error] = errors.InvalidState
    #: Another action than the hold's, from other statuses to the same one.
    action: str = ""
    #: Called with the rows of the members before they are claimed; raises to refuse.
    check: Callable[[Sequence[db.Row]], object] | None = None
    #: The values of members that are new.
    rows: Sequence[Mapping[str, Any]] = ()


@dataclasses.dataclass(frozen=True)
class Start:
    """An action that begins, as claims need to know it.

    `row` is that of the resource before it began, or the values of a new one; None where no claim needs it. `args` are
    those of the job.
    """

    ctx: context.Context | None
    kind: str
    action: states.Action
    resource_id: str
    row: Any
    args: Mapping[str, Any]
    further: Further
    allowance: quotas.Allowance | None

    @property
    def limits(self) -> quotas.Allowance:
        """The allowance of the project whose quota is claimed."""
        if self.allowance is None:
            raise ValueError(f"to {self.action.name} a {self.kind} claims quota, for which an allowance is needed")
        return self.allowance


class Holding:
    """The claim and the release of one class of holds: `class Growth(Holding, of=states.Growth)`.

    A transaction changes quota usage before pool capacity, so that no two of them wait for each other. Every release
    tolerates what is not there any more.
    """

    #: Why there is nothing to claim when an action begins; else the class has a `claim`.
    no_claim: ClassVar[str] = ""
    #: What the hold becomes when the action succeeds: (tx, conf, hold, job, row, members) -> rows that are gone, or
    #: None; see success.keep.
    keep: ClassVar[Any] = None

    def __init_subclass__(cls, of: type[states.Hold]) -> None:
        OF[of] = cls

    @staticmethod
    def claim(tx: db.Transaction, conf: cfg.ConfigOpts, hold: Any, start: Start) -> None:
        """Claim it in the transaction in which the action begins."""

    @staticmethod
    def placed(tx: db.Transaction, volume: db.Row, pool: str, zone: str) -> None:
        """Record that the scheduler has taken the capacity of the pool for the volume of the action."""

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, hold: Any, job: db.Row, kind: str,
                row: db.Row | None) -> None:
        """Release what a job holds for the resource of that kind; `row` is its row, or None when it is gone."""
        raise NotImplementedError


def locked(tx: db.Transaction, job: db.Row) -> db.Row | None:
    """The row of the job's resource, locked until the transaction ends; None when it is gone, or where there is
    none."""
    return KINDS[job.kind].locked(tx, job.resource_id)


def args_of(job: db.Row | Start) -> Mapping[str, Any]:
    """The job's arguments; none when they cannot be read."""
    return job.args if isinstance(job.args, dict) else {}


def as_row(values: Mapping[str, Any]) -> Any:
    """The values of a new resource, to be read as a row."""
    return types.SimpleNamespace(**{"size": 0, "host": None, **values})
