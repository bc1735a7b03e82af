"""Recalls: what a predicate describes is caught, blocked, its customers told, and followed.

What is caught later stands in `recall_catch`, what follows from it in `hub.ledger.rules.recall`.
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
