"""Back-fill: the orders of any period are read again, whatever the cursors say.

For gaps that somebody knows of: a channel that was connected late, or that skipped something. What
is known already is dropped by the inbox, so a period can be read as often as one likes; a back-fill
that was cut off in the middle is simply begun again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from connectors import SnapshotOrders
from connectors.remote import rate_limit_wait
from hub.storage.sql import Row, Transaction
from hub.sync import inbox
from hub.vocabulary import Order
from jobs import intake
from jobs.intake import ORDERS
from jobs.poll import ORDER, PATIENCE_SECONDS, message_of
from jobs.runtime import Runtime

BATCH = 200


async def pull_orders(
    runtime: Runtime, channel: Row, since: datetime, until: datetime
) -> tuple[int, int]:
    """Read the orders of a period and work them in; return how many there are and how many new."""
    connector = runtime.connections.of(channel)
    if not isinstance(connector, SnapshotOrders):
        raise TypeError(f"{channel['connector']} can not list the orders of a period")
    read = new = 0
    batch: list[Order] = []

    async def store() -> int:
        kept = await runtime.database.write(partial(_store, runtime, channel, tuple(batch)))
        batch.clear()
        await intake.drain(runtime)
        return kept

    with rate_limit_wait(PATIENCE_SECONDS):
        async for order in connector.snapshot_orders(since, until):
            read += 1
            batch.append(order)
            if len(batch) == BATCH:
                new += await store()
    return read, new + await store()


def _store(runtime: Runtime, channel: Row, orders: Sequence[Order], tx: Transaction) -> int:
    messages = [message_of(channel, ORDER, ORDERS, order) for order in orders]
    return inbox.accept(tx, messages, runtime.clock())
