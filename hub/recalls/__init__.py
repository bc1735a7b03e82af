"""Recalls: units that match a predicate are caught and blocked, and their customers notified.

`recall_catch` catches units that are recorded later; `hub.ledger.rules.recall` applies the effects
to the ledger.
"""

from hub.recalls.containment import Standing, containment
from hub.recalls.opening import RecallCard, Scope, by_ref, open_recall, preview
from hub.recalls.resolving import Resolution, close, resolve

__all__ = [
    "RecallCard",
    "Resolution",
    "Scope",
    "Standing",
    "by_ref",
    "close",
    "containment",
    "open_recall",
    "preview",
    "resolve",
]
