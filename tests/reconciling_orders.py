"""Reconciliation runs in tests: run one scope, and read what it found."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors import NotFound, Page
from hub.reconciliation.comparison import order_comparison
from hub.reconciliation.comparison.order_causes import Look
from hub.reconciliation.kinds import Compared, Scope
from hub.storage.sql import Row
from hub.sync import channels
from hub.vocabulary import Fulfillment, Order, Return
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from recording import Calling, Recording
from world import World

NOW = RunOptions(trigger="test", grace=timedelta())
LOOK = replace(NOW, heal=False)


class Shop(Recording):
    """A recording channel that shows what it is sent: fulfilled quantities, serials, returns."""

    shows_serials = True

    def __init__(self) -> None:
        super().__init__()
        self.returns: list[Return] = []
        self.reads: list[str] = []
        self.listed_from: list[datetime] = []

    async def snapshot_orders(self, since: datetime, until: datetime) -> Any:
        self.listed_from.append(since)
        async for order in super().snapshot_orders(since, until):
            yield order

    async def read_order(self, ref: str) -> Order:
        self.reads.append(ref)
        return await super().read_order(ref)

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        answer = await super().push_fulfillment(fulfillment)
        for part in fulfillment.lines:
            self.show(fulfillment.order_ref, part.order_line_ref, *part.serials)
        return answer

    def show(self, ref: str, line_ref: str, *serials: str) -> None:
        """Add serials to what an order line shows as fulfilled."""
        order = self.orders[ref]
        lines = []
        for line in order.lines:
            if line.ref == line_ref:
                shown = tuple(dict.fromkeys((*(line.shown_serials or ()), *serials)))
                line = replace(line, shown_serials=shown, fulfilled=len(shown))
            lines.append(line)
        self.orders[ref] = replace(order, lines=tuple(lines))

    def state(self, ref: str, line_ref: str, *serials: str) -> None:
        """Replace the serials that an order line shows."""
        order = self.orders[ref]
        bare = [
            replace(line, shown_serials=(), fulfilled=0) if line.ref == line_ref else line
            for line in order.lines
        ]
        self.orders[ref] = replace(order, lines=tuple(bare))
        self.show(ref, line_ref, *serials)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        if self.returns_forbidden is not None:
            raise self.returns_forbidden
        start = int(cursor or 0)
        return Page(tuple(self.returns[start:]), str(len(self.returns)))

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        if order_ref not in self.orders:
            raise NotFound(order_ref)
        return [each for each in self.returns if each.order_ref == order_ref]


class CallingShop(Shop, Calling):
    """The same, and it calls."""


def run(
    world: World, runtime: Runtime, channel: Row, scope: Scope, options: RunOptions = NOW
) -> tuple[Row, list[Row]]:
    """Run one scope of a channel; return the run, whose sums add up, and what it found."""
    asyncio.run(reconcile.reconcile(runtime, channel, options, scope))
    (last,) = world.rows(
        "SELECT * FROM reconciliation_run WHERE scope = :scope ORDER BY id DESC LIMIT 1",
        scope=str(scope),
    )
    found = world.rows(
        "SELECT difference.* FROM reconciliation_difference AS difference "
        "JOIN reconciliation_finding ON difference_id = difference.id "
        "WHERE reconciliation_finding.run_id = :run ORDER BY difference.id",
        run=last["id"],
    )
    assert last["state"] == "finished", last["error"]
    parts = ("matched", "in_flight", "explained", "differences")
    assert last["compared"] == sum(last[each] for each in parts)
    return last, found


def compared(
    world: World, channel: Row, remote: Order, at: datetime, grace: timedelta = timedelta()
) -> Compared:
    """Compare one order as its channel states it, looked at some time."""
    look = Look(channels_by_id(world, channel), at, grace, lambda order: f"pull:{order.ref}")
    (outcome,) = world.read(lambda tx: order_comparison.compare(tx, look, [remote]))
    return outcome


def channels_by_id(world: World, channel: Row) -> Any:
    """Return the channel as it is now."""
    return world.read(lambda tx: channels.by_id(tx, channel["id"]))


def only(found: Sequence[Row]) -> Row:
    """Return the only difference that was found."""
    assert len(found) == 1, [(each["kind"], each["subject"]) for each in found]
    return found[0]


def proofs(difference: Row) -> list[str]:
    """Return the tables of the records that prove the cause of a difference."""
    return [each["record"] for each in orjson.loads(difference["proofs"])]


def is_live(world: World, difference: Row) -> bool:
    """Return whether a difference goes on."""
    found = world.value(
        "SELECT live FROM reconciliation_difference WHERE id = :id", id=difference["id"]
    )
    return bool(found)
