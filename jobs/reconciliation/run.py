"""Reconciliation of one channel: compare twice, store the differences, heal the safe ones.

A mismatch at the first comparison may be in flight, so orders are pulled again and the channel is
read once more before a difference is stored. Batches keep the memory bounded.
"""

import logging
from collections.abc import Sequence
from functools import partial

from connectors import LookupWarranty, SnapshotOrders, SnapshotStock
from connectors.remote import rate_limit_wait
from hub.reconciliation import differences as reconciliation
from hub.reconciliation.differences import ASKED, Difference, Fix, Scope, Totals
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels
from jobs import poll
from jobs.channel_runs import run_each
from jobs.probes import judged
from jobs.reconciliation import healing
from jobs.reconciliation.levels import levels
from jobs.reconciliation.options import SCHEDULED, RunOptions
from jobs.reconciliation.orders import orders
from jobs.reconciliation.warranties import warranties
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)


async def reconcile_all(runtime: Runtime) -> str:
    """Reconcile every active channel in every scope that it supports; return a summary."""
    rows = await runtime.database.read(channels.with_capability)
    found = await run_each(runtime, "reconcile", rows, partial(reconcile, runtime))
    return f"{sum(map(len, found.results))} runs over {len(rows)} channels{found}"


async def reconcile(
    runtime: Runtime,
    channel: ChannelRow,
    options: RunOptions = SCHEDULED,
    scope: Scope | None = None,
) -> list[str]:
    """Reconcile one channel; return the ids of its runs, failed ones included."""
    connector = runtime.connections.of(channel)
    scopes: list[tuple[Scope, bool]] = [
        (Scope.ORDERS, isinstance(connector, SnapshotOrders)),
        (Scope.LEVELS, isinstance(connector, SnapshotStock)),
        (Scope.WARRANTIES, isinstance(connector, LookupWarranty)),
    ]
    return [
        await _run(runtime, channel, each, options)
        for each, possible in scopes
        if possible and scope in (None, each)
    ]


async def _run(runtime: Runtime, channel: ChannelRow, scope: Scope, options: RunOptions) -> str:
    run_id = await runtime.database.write(
        lambda tx: reconciliation.start(tx, channel["id"], scope, options.trigger, runtime.clock())
    )
    look = {Scope.ORDERS: orders, Scope.LEVELS: levels, Scope.WARRANTIES: warranties}[scope]
    totals = Totals()
    try:
        with rate_limit_wait(poll.PATIENCE_SECONDS):
            async for found in look(runtime, channel, options, totals):
                totals.differences += len(found)
                rows = await runtime.database.write(partial(_keep, runtime, channel, run_id, found))
                if options.heal:
                    await healing.heal(runtime, channel, rows)
        await runtime.database.write(
            lambda tx: reconciliation.finish(tx, run_id, totals, runtime.clock())
        )
        if options.heal:
            await healing.until_healed(runtime, run_id)
        await poll.note_retirements(runtime, channel)
    except Exception as error:
        decision = decide(await judged(runtime, channel, error), 0, runtime.clock())

        def failed(tx: Transaction) -> None:
            now = runtime.clock()
            reconciliation.fail(tx, run_id, decision.error, now)
            apply_to_channel(tx, channel, decision, now, f"reconciling {scope}")

        await runtime.database.write(failed)
        logger.warning("%s of %s not reconciled: %s", scope, channel["code"], decision.error)
    return run_id


def _keep(
    runtime: Runtime, channel: ChannelRow, run_id: str, found: Sequence[Difference], tx: Transaction
) -> list[ReconciliationDifferenceRow]:
    now = runtime.clock()
    rows = [reconciliation.record(tx, run_id, channel["id"], each, now) for each in found]
    for row in rows:
        if Fix(row["fix"]) in ASKED:
            reconciliation.ask(tx, row, channel, now)
    return rows
