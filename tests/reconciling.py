"""A reconciliation run and what it found, for the tests of reconciliation."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from connectors import PushedLevel
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row
from hub.vocabulary import ObservedLevel, StockLevel
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from recording import Recording
from world import World

NOW = RunOptions(trigger="test", grace=timedelta())
PARTS = ("matched", "in_flight", "explained", "differences")


def run(
    world: World, runtime: Runtime, channel: Row, scope: Scope, options: RunOptions = NOW
) -> tuple[Row, list[Row]]:
    """Reconcile one scope; return the run and its differences, in the order of their discovery."""
    world.pass_time(minutes=10)
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
    assert last["compared"] == sum(last[each] for each in PARTS)
    return last, found


class Shop(Recording):
    """A channel whose listings have references of their own; a SKU may be listed several times."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: dict[str, tuple[str, int]] = {}  # reference: SKU and quantity
        self.rewrites: dict[str, int] = {}  # references that another app writes after each push

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        self._fail()
        self.pushes += levels
        for level in levels:
            ref = level.remote["id"]
            if ref in self.listed:
                quantity = self.rewrites.get(ref, level.available)
                self.listed[ref] = (self.listed[ref][0], quantity)
        return [PushedLevel(level.listing, level.available) for level in levels]

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        self._fail()
        for ref, (sku, quantity) in sorted(self.listed.items()):
            yield ObservedLevel(sku=sku, quantity=quantity, remote={"id": ref}, title=sku)

    def shows(self) -> dict[str, int]:
        """Return the quantity of each reference."""
        return {ref: quantity for ref, (_, quantity) in self.listed.items()}
