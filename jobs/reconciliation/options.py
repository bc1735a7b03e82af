"""What a run of reconciliation is asked to do, and what each scope offers to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors import Connector
from hub.reconciliation.kinds import Compared, Scope, Totals
from hub.reconciliation.runs import Run
from jobs.runtime import Runtime

BATCH = 500
GRACE = timedelta(seconds=60)  # a younger order may be in flight

Outcomes = AsyncIterator[Sequence[Compared]]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run: trigger, healing, period of orders, time an order may be in flight.

    Without a period, a run lists the orders since the last clean run of the channel, and further
    back to the oldest open one.
    `progress` is called with the scope and the sums after each batch.
    """

    trigger: str = "schedule"
    heal: bool = True
    window: timedelta | None = None
    grace: timedelta = GRACE
    progress: Callable[[Scope, Totals], None] | None = None

    @property
    def asked(self) -> str:
        """Return what a run is asked for as a text: another process goes on with the same only."""
        period = "" if self.window is None else f" of {self.window}"
        return f"{'compare and heal' if self.heal else 'compare'}{period}"


Compare = Callable[[Runtime, Run, RunOptions], Outcomes]
LookAgain = Callable[[Runtime, Run, RunOptions, Sequence[str]], Awaitable[Sequence[Compared]]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One scope: which connectors it is possible for, and how it compares.

    `compare` yields the outcome of each subject once, in batches; `look_again` returns those of
    some subjects, named by their references, after they were healed.
    `is_whole` says that its outcomes cover every subject, so that what it did not find is over.
    `looks_at_once` subjects are looked at again in one reading of the channel.
    """

    is_possible: Callable[[Connector[Any]], bool]
    compare: Compare
    look_again: LookAgain
    is_whole: bool = False
    looks_at_once: int = BATCH
