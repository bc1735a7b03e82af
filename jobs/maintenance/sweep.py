"""The sweep: releases expired promises, blocks expired units, retries back-orders.

It ends the promises of orders that were not paid in time, serves order lines whose SKU has become
known, closes cases of orders and returns that are resolved by later events, applies the case
rules, and deletes lines of the push log, sent event facts and webhook messages that are older than
a month, and old runs of reconciliation.
"""

from collections.abc import Callable
from functools import partial

from hub import orders
from hub.access import guessing, sessions, trail
from hub.cases import rules
from hub.fulfillment import expiry
from hub.ledger import lapsing
from hub.orders import pre_orders
from hub.reconciliation import retention
from hub.returns import channel_returns
from hub.storage.sql import Transaction
from hub.sync import inbox_retention, outbox, push_log
from hub.webhooks import messages
from jobs.runtime import Runtime

ROWS_MAX = 500  # in one run
LINES_MAX = 10_000  # of the log of pushes, dropped in one run


def _reviewed(runtime: Runtime, review: Callable[..., object], tx: Transaction) -> object:
    return review(tx, runtime.context("sweep"), limit=ROWS_MAX)


async def _release_lapsed(runtime: Runtime) -> int:
    """Release every promise that is past its end, in short transactions; return their number.

    Carts end by the thousand, and channels show their units again only once these are released.
    """
    released, more = 0, True
    while more and not runtime.stopping.is_set():
        found = await runtime.database.write(
            lambda tx: lapsing.release_expired(tx, runtime.context("sweep"), limit=ROWS_MAX)
        )
        released, more = released + found, found == ROWS_MAX
    return released


def _forget_access(tx: Transaction, runtime: Runtime) -> None:
    """Forget sessions and counts that ended; take up what was changed outside commands."""
    sessions.forget(tx, runtime.clock())
    guessing.forget(tx, runtime.clock())
    trail.begin(tx, runtime.clock())


async def sweep(runtime: Runtime) -> str:
    """Release expired allocations, block expired units, allocate again; return a summary."""
    released = await _release_lapsed(runtime)
    expired = await runtime.database.write(
        lambda tx: expiry.set_aside(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    unpaid = await runtime.database.write(
        lambda tx: orders.end_unpaid_promises(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    tried = await runtime.database.write(
        lambda tx: orders.retry_backorders(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    bound = await runtime.database.write(
        lambda tx: orders.bind_waiting(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    for review in (orders.recheck, channel_returns.recheck, pre_orders.review):
        await runtime.database.write(partial(_reviewed, runtime, review))
    await runtime.database.write(lambda tx: push_log.forget(tx, runtime.clock(), limit=LINES_MAX))
    await runtime.database.write(
        lambda tx: outbox.forget_events(tx, runtime.clock(), limit=LINES_MAX)
    )
    await runtime.database.write(
        lambda tx: inbox_retention.prune(tx, runtime.retention, runtime.clock(), limit=LINES_MAX)
    )
    await runtime.database.write(lambda tx: messages.forget(tx, runtime.clock(), limit=LINES_MAX))
    await runtime.database.write(
        lambda tx: retention.prune(
            tx, runtime.reconciliation_kept, runtime.clock(), limit=LINES_MAX
        )
    )
    await runtime.database.write(lambda tx: _forget_access(tx, runtime))
    acted = await runtime.database.write(
        lambda tx: rules.apply(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    return (
        f"{released} promises ran out, {unpaid} orders stayed unpaid, {expired} units expired, "
        f"{tried} back-ordered lines tried, "
        f"{bound} waiting orders bound, rules acted {acted} times on cases"
    )
