"""Comparison of the orders of one channel with those of the ledger."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from connectors import NotFound, NotOurs, PullOrders, SnapshotOrders, Unreadable, UnreadableRecord
from hub.reconciliation import order_comparison
from hub.reconciliation.differences import Difference, Totals
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Order
from jobs import intake, relay, unreadable
from jobs.reconciliation.options import DifferenceBatches, RunOptions, counted
from jobs.runtime import Runtime

UNSEEN_MAX = 100  # orders that are asked for one by one in a run


async def orders(
    runtime: Runtime, channel: ChannelRow, options: RunOptions, totals: Totals
) -> DifferenceBatches:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])
    now = runtime.clock()

    async def compare(order: Order) -> Difference | str:
        return await runtime.database.read(
            lambda tx: order_comparison.order(tx, channel, order, now, options.grace)
        )

    seen = set[str]()
    async for order in connector.snapshot_orders(now - options.window, now):
        good, odd = unreadable.sort([order], unreadable.ORDER)
        if odd:
            await runtime.database.write(partial(_keep_aside, runtime, channel, odd))
        if not good:
            continue
        order = good[0]
        seen.add(order.ref)
        if found := counted(await compare(order), totals):
            yield found
    if gone := await _deleted(runtime, channel, options, now, seen):
        yield gone


async def _deleted(
    runtime: Runtime, channel: ChannelRow, options: RunOptions, now: datetime, seen: set[str]
) -> Sequence[Difference]:
    """Find open orders that the channel neither listed nor finds when it is asked for each.

    The period is smaller than that of the list by the grace at both ends, so that an order at its
    edge is not taken for a deleted one.
    """
    connector = runtime.connections.of(channel)
    if not isinstance(connector, PullOrders):
        return ()
    unseen = await runtime.database.read(
        lambda tx: order_comparison.unseen_orders(
            tx,
            channel,
            now - options.window + options.grace,
            now - options.grace,
            seen,
            limit=UNSEEN_MAX,
        )
    )
    found = list[Difference]()
    for known in unseen:
        try:
            await connector.read_order(known["ref"])
        except (NotOurs, Unreadable):
            continue
        except NotFound:
            found.append(order_comparison.deleted_order(known))
    return found


def _keep_aside(
    runtime: Runtime, channel: ChannelRow, odd: Sequence[UnreadableRecord], tx: Transaction
) -> None:
    unreadable.keep(tx, runtime, channel, odd)
