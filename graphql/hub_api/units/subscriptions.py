"""Subscriptions: events as they are recorded, in the order of their commits."""

from collections.abc import AsyncGenerator
from functools import partial

import strawberry

from hub.access.keys import Scope
from hub.ledger import event_views
from hub_api.common.context import Info
from hub_api.common.streams import Stream
from hub_api.engine.stored import each
from hub_api.units import feed
from hub_api.units.feed import EventFeed, cursor_of, position_of
from hub_api.units.types import UnitEvent

STAFF = (Scope.SCANNER, Scope.POS, Scope.OPS)


@strawberry.type
class EventSubscription:
    """Events of units as they occur."""

    @strawberry.subscription(
        description="Every event from now on, or after a cursor, of all units or of one product "
        "or place. Each answer bears its cursor in `extensions.cursor`, and as the id of a "
        "server-sent event: a client that comes back with the last one misses nothing."
    )
    async def unit_events(
        self,
        info: Info,
        sku: str | None = None,
        location: str | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[UnitEvent, None]:
        """Send events until the client goes, or its key is revoked."""
        info.context.require(*STAFF)
        database = info.context.database
        given = after if after is not None else info.context.resume_after
        here = None if given is None else position_of(given)
        with database.signals.listen("events") as woken:
            stream = Stream(info.context, woken)
            if here is None:
                here = await database.read(event_views.feed_end)
            while True:
                woken.clear()
                rows, end = await database.read(partial(feed.after, here=here))
                for row in rows:
                    if not feed.is_asked_for(row, sku, location):
                        continue
                    for event in each(UnitEvent.of, [row]):  # none, if nobody can read it
                        await stream.ready(cursor_of((row["transaction_id"], row["seq"])))
                        yield event
                here = end
                if not rows:
                    await stream.wait()


@strawberry.type
class EventQuery:
    """Reading the feed of events."""

    @strawberry.field(
        description="Events of all units in the order of their commits: after a cursor, or from "
        "the first one on.",
        metadata={"cost": 10},
    )
    async def events(
        self,
        info: Info,
        first: int = 100,
        after: str | None = None,
        sku: str | None = None,
        location: str | None = None,
    ) -> EventFeed:
        """Read a part of the feed."""
        info.context.require(*STAFF)
        here = (0, 0) if after is None else position_of(after)
        return await info.context.read(
            lambda tx: feed.page(tx, here, first, sku=sku, location=location)
        )
