"""What a run of reconciliation is asked to do."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hub.reconciliation.differences import Difference, Totals

BATCH = 500
WINDOW = timedelta(days=2)
GRACE = timedelta(seconds=60)  # a younger order may be in flight

DifferenceBatches = AsyncIterator[Sequence[Difference]]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run: trigger, healing, period of orders, time an order may be in flight."""

    trigger: str = "schedule"
    heal: bool = True
    window: timedelta = WINDOW
    grace: timedelta = GRACE


SCHEDULED = RunOptions()


def counted(outcome: Difference | str, totals: Totals) -> Sequence[Difference]:
    """Count a match or an item in flight; return a difference."""
    if isinstance(outcome, Difference):
        return (outcome,)
    if outcome == "in_flight":
        totals.in_flight += 1
    else:
        totals.matched += 1
    return ()
