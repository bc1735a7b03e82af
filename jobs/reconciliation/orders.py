"""Comparison of the orders of one channel with those of the ledger.

The channel's list of a period is compared batch by batch. What the list does not show and the
ledger holds open, and what differed before, is read by its reference afterwards.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from connectors import NotFound, NotOurs, PullOrders, SnapshotOrders, Unreadable, UnreadableRecord
from hub.reconciliation import marks
from hub.reconciliation.comparison import observed_orders, order_comparison
from hub.reconciliation.comparison.observed_orders import Window
from hub.reconciliation.comparison.order_causes import Look
from hub.reconciliation.kinds import Compared, not_compared
from hub.reconciliation.runs import Run, note_window
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Order
from jobs import deletions, intake, relay, unreadable
from jobs.intake import ORDERS
from jobs.poll import ORDER, message_of
from jobs.reconciliation.options import Outcomes, RunOptions
from jobs.runtime import Runtime

BATCH = 500
READ_BATCH = 50  # orders that are read one by one between two steps of the run
READS_MAX = 1_000  # orders that a run reads one by one; the next run begins with the others
SKIP_BATCH = 5_000  # of these others, that are noted at a time
UNREADABLE = "the channel's record of it cannot be read"
NO_ORDER_READ = "the channel does not list it, and cannot be asked for a single order"
TOO_MANY = f"the channel does not list it, and a run reads {READS_MAX} orders one by one"


async def compare(runtime: Runtime, run: Run, options: RunOptions) -> Outcomes:
    """Yield the outcome of each order of the period, and of each open or differing one beside."""
    await intake.drain(runtime, run.channel["id"])
    await relay.drain(runtime, run.channel["id"])
    look = look_of(runtime, run.channel, options)
    period = await begin(runtime, run, options, look.at)
    async for batch in listed(runtime, run.channel, period):
        yield await runtime.database.write(partial(_compare_listed, runtime, run, look, batch))
    async for outcomes in _unseen(runtime, run, look):
        yield outcomes
    async for outcomes in _gone(runtime, run, look):
        yield outcomes
    await runtime.database.write(lambda tx: observed_orders.clean(tx, run, period))


def look_of(runtime: Runtime, channel: ChannelRow, options: RunOptions) -> Look:
    """Return how the orders of a channel are compared from now on."""

    def delivery(order: Order) -> str:
        return message_of(channel, ORDER, ORDERS, order).delivery

    return Look(channel, runtime.clock(), options.grace, delivery)


async def begin(runtime: Runtime, run: Run, options: RunOptions, now: datetime) -> Window:
    """Return the period whose orders a run lists, and record it in the run."""

    def work(tx: Transaction) -> Window:
        period = observed_orders.window(tx, run.channel, run.scope, now, options.window)
        note_window(tx, run, period.since, period.until)
        return period

    return await runtime.database.write(work)


@dataclass(slots=True)
class Listed:
    """A batch of a channel's list: orders by reference, and records that cannot be read."""

    orders: dict[str, Order] = field(default_factory=dict)
    odd: dict[str, UnreadableRecord] = field(default_factory=dict)


async def listed(runtime: Runtime, channel: ChannelRow, period: Window) -> AsyncIterator[Listed]:
    """Yield the orders that a channel lists for a period, in batches."""
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    batch = Listed()
    async for item in connector.snapshot_orders(period.since, period.until):
        good, odd = unreadable.sort([item], unreadable.ORDER)
        batch.orders |= {order.ref: order for order in good}
        batch.odd |= {unreadable.subject_of(record): record for record in odd}
        if len(batch.orders) + len(batch.odd) >= BATCH:
            yield batch
            batch = Listed()
    yield batch


def new_orders(
    runtime: Runtime, run: Run, batch: Listed, tx: Transaction
) -> tuple[list[Order], list[Compared]]:
    """Return the orders of a batch that the run has not seen, and the outcomes of odd records.

    A record that cannot be read is kept aside.
    """
    unreadable.keep(tx, runtime, run.channel, list(batch.odd.values()))
    new = marks.unmarked(tx, run, [*batch.orders, *batch.odd])
    odd = [ref for ref in batch.odd if ref in new and ref not in batch.orders]
    observed_orders.skip(tx, run, odd)
    orders = [order for ref, order in batch.orders.items() if ref in new]
    return orders, [not_compared(ref, ref, UNREADABLE) for ref in odd]


def _compare_listed(
    runtime: Runtime, run: Run, look: Look, batch: Listed, tx: Transaction
) -> Sequence[Compared]:
    orders, odd = new_orders(runtime, run, batch, tx)
    observed_orders.see(tx, run, [order.ref for order in orders], look.at)
    return [*order_comparison.compare(tx, look, orders), *odd]


async def _unseen(runtime: Runtime, run: Run, look: Look) -> Outcomes:
    """Yield the outcomes of orders that the list did not show: they are read by their reference.

    These are the orders that are open here, and those that differed at an earlier run.
    """
    reads = 0
    unseen = partial(observed_orders.unseen, run=run, until=look.at - look.grace)
    while reads < READS_MAX:
        refs = await runtime.database.read(partial(unseen, limit=READ_BATCH))
        if not refs:
            return
        reads += len(refs)
        yield await _look_at(runtime, run, look, refs)
    while refs := await runtime.database.read(partial(unseen, limit=SKIP_BATCH)):
        yield await runtime.database.write(partial(_skip, run, refs, TOO_MANY))


async def _look_at(
    runtime: Runtime, run: Run, look: Look, refs: Sequence[str]
) -> Sequence[Compared]:
    """Read orders by their references and compare those that are there; note those that are not."""
    connector = runtime.connections.of(run.channel)
    if not isinstance(connector, PullOrders):
        return await runtime.database.write(partial(_skip, run, refs, NO_ORDER_READ))
    found = _Found()
    for ref in refs:
        await _read(connector, ref, found)

    def compared(tx: Transaction) -> Sequence[Compared]:
        unreadable.keep(tx, runtime, run.channel, found.odd)
        observed_orders.see(tx, run, [order.ref for order in found.orders], look.at)
        observed_orders.miss(tx, run, found.missing, look.at)
        observed_orders.skip(tx, run, [each.about for each in found.skipped])
        return [*order_comparison.compare(tx, look, found.orders), *found.skipped]

    return await runtime.database.write(compared)


@dataclass(slots=True)
class _Found:
    """What the channel answered to single references."""

    orders: list[Order] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: list[Compared] = field(default_factory=list)
    odd: list[UnreadableRecord] = field(default_factory=list)


async def _read(connector: PullOrders, ref: str, found: _Found) -> None:
    try:
        good, odd = unreadable.sort([await connector.read_order(ref)], unreadable.ORDER)
    except NotFound:
        found.missing.append(ref)
        return
    except NotOurs:
        found.skipped.append(not_compared(ref, ref, "it belongs to another channel now"))
        return
    except Unreadable as error:
        good, odd = [], [error.record]
    if good and good[0].ref == ref:
        found.orders += good
    else:
        found.odd += odd
        found.skipped.append(not_compared(ref, ref, UNREADABLE))


async def _gone(runtime: Runtime, run: Run, look: Look) -> Outcomes:
    """Yield the outcomes of the orders that were not found, once all of them are known."""
    after, together = "", 0
    while missing := await runtime.database.read(
        partial(observed_orders.gone, run=run, after=after, limit=BATCH)
    ):
        if not after:
            if not await deletions.passes_check(runtime, run.channel):
                raise NotFound("the channel itself is not found: none of its orders is")
            together = await runtime.database.read(lambda tx: observed_orders.count_gone(tx, run))
        after = missing[-1]["ref"]
        yield await runtime.database.read(
            partial(order_comparison.gone, look=look, missing=missing, together=together)
        )


def _skip(run: Run, refs: Sequence[str], reason: str, tx: Transaction) -> Sequence[Compared]:
    observed_orders.skip(tx, run, refs)
    return [not_compared(ref, ref, reason) for ref in refs]


async def look_again(
    runtime: Runtime, run: Run, options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Return the outcomes of some orders, each read by its reference."""
    look = look_of(runtime, run.channel, options)
    outcomes = list(await _look_at(runtime, run, look, abouts))
    seen = {each.about for each in outcomes}

    def gone(tx: Transaction) -> Sequence[Compared]:
        wanted = sorted(set(abouts) - seen)
        missing = observed_orders.gone_of(tx, run, wanted)
        return order_comparison.gone(tx, look, missing, observed_orders.count_gone(tx, run))

    return [*outcomes, *await runtime.database.read(gone)]
