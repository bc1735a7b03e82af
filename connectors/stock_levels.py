"""Stock levels that are not sent: those without references, and those of untracked listings."""

from collections.abc import Awaitable, Callable, Sequence

from connectors.contract import PushedLevel
from connectors.errors import ConnectorError, NotFound, Rejected
from hub.vocabulary import StockLevel


def bound(
    levels: Sequence[StockLevel], reference: str
) -> tuple[list[StockLevel], list[PushedLevel]]:
    """Split levels by whether their listing has the `reference`.

    Returns the levels that can be sent, and a NotFound result for each of the others.
    """
    able = [level for level in levels if level.remote.get(reference)]
    lost = [
        PushedLevel(level.listing, error=NotFound(f"the listing has no {reference}"))
        for level in levels
        if not level.remote.get(reference)
    ]
    return able, lost


def untracked(what: str) -> Rejected:
    """Return the refusal of a level whose listing's quantity the channel does not keep.

    Keeping it is a decision of the shop: no push switches it on. `what` names the listing there.
    """
    return Rejected(
        f"the channel keeps no quantity of {what}: switch that on there, or take the listing off "
        "this channel"
    )


async def push_each(
    levels: Sequence[StockLevel], push: Callable[[StockLevel], Awaitable[PushedLevel]]
) -> list[PushedLevel]:
    """Push levels one after another; the error of one is its result, and stops no other."""
    pushed = []
    for level in levels:
        try:
            pushed.append(await push(level))
        except ConnectorError as error:
            pushed.append(PushedLevel(level.listing, error=error))
    return pushed
