"""Polling: orders are pulled from their channels by cursor, whatever became of the webhooks.

The cursor moves only in the transaction that stored the page, so a page that fails is read again.
What was stored already is known by its delivery id and dropped.
"""

import hashlib
import logging
from functools import partial

from connectors import Page, PullOrders
from connectors.remote import patience
from hub import cases, channels, inbox
from hub.cases import CaseKind
from hub.clock import micros
from hub.database import TROUBLES
from hub.sql import Row, Transaction
from hub.vocabulary import Order
from jobs.intake import ORDERS
from jobs.recovery import apply_to_channel, decide, report_dead
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

STREAM = "orders"
PAGES_MAX = 500  # of one channel in one run
PATIENCE_SECONDS = 30.0  # for a budget that is used up: no lease is held


async def poll_all(runtime: Runtime) -> str:
    """Pull the orders of every active channel; return a summary."""
    rows = await runtime.database.read(lambda tx: channels.with_capability(tx, "pull_orders"))
    new = [await poll(runtime, channel) for channel in rows]
    return f"{sum(new)} new orders or changes from {len(rows)} channels"


async def poll(runtime: Runtime, channel: Row) -> int:
    """Pull the orders of one channel; return how many were new. A failure is kept for people."""
    if channel["waits_until"] > micros(runtime.clock()):
        return 0
    connector = runtime.connections.of(channel)
    if not isinstance(connector, PullOrders):
        return 0
    try:
        with patience(PATIENCE_SECONDS):
            return await _pull(runtime, channel, connector)
    except TROUBLES:
        raise  # our own database is away: says nothing of the channel
    except Exception as error:
        decision = decide(error, 0, runtime.clock())
        await runtime.database.write(
            lambda tx: apply_to_channel(tx, channel, decision, runtime.clock(), STREAM)
        )
        if decision.due_at is None:
            await runtime.database.write(
                lambda tx: report_dead(
                    tx, channel, STREAM, "give its orders", decision, runtime.clock()
                )
            )
        logger.warning("orders of %s could not be pulled: %s", channel["code"], decision.error)
        return 0


async def _pull(runtime: Runtime, channel: Row, connector: PullOrders) -> int:
    cursor = await runtime.database.read(lambda tx: channels.cursor(tx, channel["id"], STREAM))
    new = 0
    for _ in range(PAGES_MAX):
        page = await connector.pull_orders(cursor)
        new += await runtime.database.write(partial(_store, runtime, channel, page))
        if not page.more:
            break
        cursor = page.cursor
    return new


def _store(runtime: Runtime, channel: Row, page: Page[Order], tx: Transaction) -> int:
    now = runtime.clock()
    stored = inbox.accept(tx, [order_message(channel, order) for order in page.items], now)
    channels.move_cursor(tx, channel["id"], STREAM, page.cursor, now)
    cases.settle(tx, CaseKind.SYNC_FAILURE, STREAM, channel["id"], now)
    return stored


def order_message(channel: Row, order: Order) -> inbox.Message:
    """Return what is stored of an order that was read; the same state of it is the same message."""
    body = ORDERS.dump_json(order)
    # The content is part of the name: a channel whose update time stands still is still heard.
    digest = hashlib.sha256(body).hexdigest()[:16]
    return inbox.Message(channel["id"], f"pull:{order.ref}:{digest}", "pull", "order", body)
