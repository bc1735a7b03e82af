"""Comparison of the orders of one channel with those of the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from connectors import NotFound, NotOurs, PullOrders, SnapshotOrders, Unreadable, UnreadableRecord
from hub.reconciliation import order_comparison
from hub.reconciliation.kinds import Compared
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Order
from jobs import intake, relay, unreadable
from jobs.reconciliation.options import Outcomes, RunOptions
from jobs.runtime import Runtime

UNSEEN_MAX = 100  # orders that are asked for one by one in a run


async def compare(runtime: Runtime, run: Run, options: RunOptions) -> Outcomes:
    """Yield the outcome of each order of the period, and of open ones that are not there."""
    channel = run.channel
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])
    now = runtime.clock()

    async def outcome(order: Order) -> Compared:
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
        yield [await outcome(order)]
    if gone := await _deleted(runtime, channel, options, now, seen):
        yield gone


async def _deleted(
    runtime: Runtime, channel: ChannelRow, options: RunOptions, now: datetime, seen: set[str]
) -> Sequence[Compared]:
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
    found = list[Compared]()
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


async def look_again(
    runtime: Runtime, run: Run, options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Read some orders again and compare them."""
    connector = runtime.connections.of(run.channel)
    assert isinstance(connector, PullOrders)  # a channel that lists orders can read one
    now = runtime.clock()
    outcomes = list[Compared]()
    for about in abouts:
        try:
            order = await connector.read_order(about)
        except NotFound:
            outcomes.append(await _compared(runtime, run, about))
            continue
        outcomes.append(
            await runtime.database.read(
                partial(_outcome, channel=run.channel, order=order, now=now, grace=options.grace)
            )
        )
    return outcomes


def _outcome(
    tx: Transaction, channel: ChannelRow, order: Order, now: datetime, grace: timedelta
) -> Compared:
    return order_comparison.order(tx, channel, order, now, grace)


async def _compared(runtime: Runtime, run: Run, about: str) -> Compared:
    return await runtime.database.read(lambda tx: order_comparison.gone(tx, run.channel, about))
