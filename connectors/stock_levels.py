"""Sort out levels that cannot be sent, before they spoil a whole call."""

from collections.abc import Sequence

from connectors.contract import PushedLevel
from connectors.errors import NotFound
from hub.vocabulary import StockLevel


def bound(
    levels: Sequence[StockLevel], reference: str
) -> tuple[list[StockLevel], list[PushedLevel]]:
    """Split levels into those whose listing has the `reference`, and answers for the others."""
    able = [level for level in levels if level.remote.get(reference)]
    lost = [
        PushedLevel(level.listing, error=NotFound(f"the listing has no {reference}"))
        for level in levels
        if not level.remote.get(reference)
    ]
    return able, lost
