"""Comparison of the serials that one channel shows on its orders with the units that left here.

What does not match at the first look is compared once more at the end: then it is known what the
other orders show.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from connectors import Connector, NotFound, NotOurs, PullOrders, SnapshotOrders, Unreadable
from hub.reconciliation.comparison import observed_orders, shipment_comparison
from hub.reconciliation.comparison.order_causes import Look
from hub.reconciliation.kinds import Compared, Result, matched, not_compared
from hub.reconciliation.runs import Run
from hub.storage.sql import Transaction
from hub.vocabulary import Order
from jobs import intake, relay, unreadable
from jobs.reconciliation.options import Outcomes, RunOptions
from jobs.reconciliation.orders import BATCH, READ_BATCH, Listed, begin, listed, look_of, new_orders
from jobs.runtime import Runtime


def is_possible(connector: Connector[Any]) -> bool:
    """Return whether a channel shows the serials of its orders."""
    return isinstance(connector, SnapshotOrders) and (
        connector.shows_serials or getattr(connector, "orders_name_serials", False)
    )


async def compare(runtime: Runtime, run: Run, options: RunOptions) -> Outcomes:
    """Yield the outcome of each order of the period on which either side has serials."""
    await intake.drain(runtime, run.channel["id"])
    await relay.drain(runtime, run.channel["id"])
    look = look_of(runtime, run.channel, options)
    period = await begin(runtime, run, options, look.at)
    async for batch in listed(runtime, run.channel, period):
        yield await runtime.database.write(partial(_first_look, runtime, run, look, batch))
    after = ""
    while suspects := await runtime.database.read(
        partial(observed_orders.suspects, run=run, after=after, limit=BATCH)
    ):
        after = list(suspects)[-1]
        yield await runtime.database.read(
            partial(shipment_comparison.compare, look=look, orders=suspects)
        )
    while refs := await runtime.database.read(
        partial(observed_orders.unseen_differences, run=run, limit=READ_BATCH)
    ):
        yield await look_again(runtime, run, options, refs)
    await runtime.database.write(lambda tx: observed_orders.clean(tx, run, period))


def _first_look(
    runtime: Runtime, run: Run, look: Look, batch: Listed, tx: Transaction
) -> Sequence[Compared]:
    """Compare a batch; leave what differs for the second look."""
    orders, odd = new_orders(runtime, run, batch, tx)
    outcomes = [*_compared(run, look, orders, tx), *odd]
    return [each for each in outcomes if each.result is not Result.DIFFERENT]


def _compared(run: Run, look: Look, orders: Sequence[Order], tx: Transaction) -> Sequence[Compared]:
    """Compare orders, and keep what they show."""
    shown = {
        order.ref: serials
        for order in orders
        if (serials := shipment_comparison.shown_by(order)) is not None
    }
    outcomes = shipment_comparison.compare(tx, look, shown)
    suspects = frozenset(each.about for each in outcomes if each.result is Result.DIFFERENT)
    refs = [order.ref for order in orders]
    observed_orders.see(tx, run, refs, look.at, serials=shown, suspects=suspects)
    return outcomes


async def look_again(
    runtime: Runtime, run: Run, options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Read some orders again, keep what they show, and compare them."""
    look = look_of(runtime, run.channel, options)
    connector = runtime.connections.of(run.channel)
    if not isinstance(connector, PullOrders):
        reason = "the channel cannot be asked for a single order"
        return [not_compared(ref, ref, reason) for ref in abouts]
    orders, gone, skipped = list[Order](), list[str](), list[Compared]()
    for ref in abouts:
        try:
            good, odd = unreadable.sort([await connector.read_order(ref)], unreadable.ORDER)
        except (NotFound, NotOurs):
            gone.append(ref)  # the comparison of orders decides about it
            continue
        except Unreadable as error:
            good, odd = [], [error.record]
        orders += good
        skipped += [not_compared(ref, ref, f"the order cannot be read: {each}") for each in odd]

    def work(tx: Transaction) -> Sequence[Compared]:
        outcomes = list(_compared(run, look, orders, tx))
        silent = {order.ref for order in orders} - {each.about for each in outcomes}
        observed_orders.skip(tx, run, [*gone, *(each.about for each in skipped)])
        return [*outcomes, *skipped, *(matched(ref) for ref in sorted(silent | set(gone)))]

    return await runtime.database.write(work)
