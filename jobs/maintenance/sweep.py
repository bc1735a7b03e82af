"""The sweep: promises that ran out are released, what expired is set aside, back-orders tried.

Order lines whose SKU has become known are served, and the cases of orders and returns that have
been overtaken by events are closed. Then the rules for cases are applied, and the logs of pushes,
of events that were told and of webhooks lose what is older than a month.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from hub import ledger, orders
from hub.cases import rules
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.fulfillment import expiry
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import pre_orders
from hub.returns import channel_returns
from hub.storage.sql import Transaction
from hub.sync import outbox, push_log
from hub.webhooks import messages
from jobs.runtime import Runtime

ROWS_MAX = 500  # in one run
LINES_MAX = 10_000  # of the log of pushes, dropped in one run


def _reviewed(runtime: Runtime, review: Callable[..., object], tx: Transaction) -> object:
    return review(tx, runtime.context("sweep"), limit=ROWS_MAX)


async def sweep(runtime: Runtime) -> str:
    """Release promises that ran out, set aside what expired, promise again; return a summary."""

    def release(tx: Transaction) -> int:
        context = replace(runtime.context("sweep"), reason="expired")
        expired = tx.rows(
            "SELECT unit_id FROM hold WHERE released_at IS NULL AND kind = 'sale' "
            "AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY unit_id LIMIT :limit",
            now=micros(context.now),
            limit=ROWS_MAX,
        )
        if not expired:
            return 0
        scans = [Scan(row["unit_id"]) for row in expired]
        verdicts = ledger.record(
            Work(tx, context, new_id()), UnitCommand(action=Action.RELEASE), scans
        )
        return sum(verdict.accepted for verdict in verdicts)

    released = await runtime.database.write(release)
    expired = await runtime.database.write(
        lambda tx: expiry.set_aside(tx, runtime.context("sweep"), limit=ROWS_MAX)
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
    await runtime.database.write(lambda tx: messages.forget(tx, runtime.clock(), limit=LINES_MAX))
    acted = await runtime.database.write(
        lambda tx: rules.apply(tx, runtime.context("sweep"), limit=ROWS_MAX)
    )
    return (
        f"{released} promises ran out, {expired} units expired, {tried} back-ordered lines tried, "
        f"{bound} waiting orders bound, rules acted {acted} times on cases"
    )
