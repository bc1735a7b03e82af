"""Subscriptions: events as they are recorded, in the order of their commits."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

import strawberry

from hub.access.keys import Scope
from hub.ledger import event_views
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.units.types import UnitEvent

Position = tuple[int, int]  # of the feed: transaction and sequence number

EVENTS_MAX = 200  # read at a time
IDLE_SECONDS = 1.0  # another process may have written without telling this one


@strawberry.type(description="Streams of events.")
class Subscription:
    """What is told as it happens."""

    @strawberry.subscription(
        description="Every event from now on, of all units or of one product or place."
    )
    async def unit_events(
        self, info: Info, sku: str | None = None, location: str | None = None
    ) -> AsyncGenerator[UnitEvent, None]:
        """Tell events until the client goes."""
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        database = info.context.database
        with database.signals.listen("events") as woken:
            here = await database.read(event_views.feed_end)
            while True:
                woken.clear()
                rows, here = await database.read(partial(_next, here=here))
                for row in rows:
                    if sku in (None, row["sku"]) and location in (None, row["to_code"]):
                        yield UnitEvent.of(row)
                if not rows:
                    await _wait(woken)


def _next(tx: Transaction, here: Position) -> tuple[Sequence[Row], Position]:
    rows = event_views.events_after(tx, *here, limit=EVENTS_MAX)
    return rows, (rows[-1]["transaction_id"], rows[-1]["seq"]) if rows else here


async def _wait(woken: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            await woken.wait()
    except TimeoutError:
        return
