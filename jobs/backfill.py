"""Back-fill: reads the orders of a given period again, whatever the cursors are.

It closes known gaps: a channel that was connected late, or that skipped orders. The inbox drops
orders that are known already, so a period can be read any number of times; an interrupted back-fill
is started again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from connectors import SnapshotOrders, UnreadableRecord
from connectors.remote import rate_limit_wait
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import inbox
from hub.vocabulary import Order
from jobs import intake, unreadable
from jobs.intake import ORDERS
from jobs.poll import ORDER, PATIENCE_SECONDS, message_of
from jobs.runtime import Runtime

BATCH = 200


async def pull_orders(
    runtime: Runtime, channel: ChannelRow, since: datetime, until: datetime
) -> tuple[int, int]:
    """Read and process the orders of a period; return the number of orders, and of new ones.

    Raises TypeError for a channel whose connector can not list orders.
    """
    connector = runtime.connections.of(channel)
    if not isinstance(connector, SnapshotOrders):
        raise TypeError(f"{channel['connector']} can not list the orders of a period")
    read = new = 0
    batch: list[Order | UnreadableRecord] = []

    async def store() -> int:
        kept = await runtime.database.write(partial(_store, runtime, channel, tuple(batch)))
        batch.clear()
        await intake.drain(runtime, channel["id"])
        return kept

    with rate_limit_wait(PATIENCE_SECONDS):
        async for order in connector.snapshot_orders(since, until):
            read += 1
            batch.append(order)
            if len(batch) == BATCH:
                new += await store()
    return read, new + await store()


def _store(
    runtime: Runtime,
    channel: ChannelRow,
    found: Sequence[Order | UnreadableRecord],
    tx: Transaction,
) -> int:
    orders, odd = unreadable.sort(found, ORDER)
    unreadable.keep(tx, runtime, channel, odd)
    messages = [message_of(channel, ORDER, ORDERS, order) for order in orders]
    return inbox.accept(tx, messages, runtime.clock())
