"""Stock counts by serial: the units on the shelf compared with the ledger (cycle counting).

Counting locks nothing: a unit that was moved, sold or received meanwhile by an event of its own is
not reported as missing.
"""

from hub.counts.adjusting import Adjusted, adjust
from hub.counts.comparing import compare
from hub.counts.counting import (
    PRESENT,
    Answer,
    CountCard,
    Kind,
    Noted,
    by_ref,
    cancel,
    count_units,
    listed,
    open_count,
    results,
)
from hub.counts.finishing import close
from hub.counts.measuring import Accuracy, Tally, accuracy, tally

__all__ = [
    "PRESENT",
    "Accuracy",
    "Adjusted",
    "Answer",
    "CountCard",
    "Kind",
    "Noted",
    "Tally",
    "accuracy",
    "adjust",
    "by_ref",
    "cancel",
    "close",
    "compare",
    "count_units",
    "listed",
    "open_count",
    "results",
    "tally",
]
