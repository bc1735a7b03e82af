"""Counts by serial: what is on the shelf, beside what the ledger has there (ISO: cycle counting).

Nothing is locked while people count: what was moved, sold or received meanwhile by an event of
its own is not called missing.
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
