"""Reconciliation of one channel: look twice, compare, keep the differences, heal what is safe.

What disagrees at the first look may be on its way, so orders are pulled again and the channel is
looked at once more before anything is called a difference. Batches keep the memory bounded.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import orjson

from connectors import LookupWarranty, PullOrders, SnapshotOrders, SnapshotStock
from connectors.remote import rate_limit_wait
from hub import orders
from hub.after_sales import warranty_answers
from hub.commands.context import CommandContext
from hub.reconciliation import comparison
from hub.reconciliation import differences as reconciliation
from hub.reconciliation.differences import AUTOMATIC, Difference, Fix, Scope, Totals
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from hub.vocabulary import ObservedLevel, Order, Warranty, WarrantyQuestion
from jobs import intake, poll, relay
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

BATCH = 500
WINDOW = timedelta(days=2)
HEAL_SECONDS_MAX = 5.0
HEAL_POLL_SECONDS = 0.05
GRACE = timedelta(seconds=60)  # an order that is younger may simply be on its way


@dataclass(frozen=True, slots=True)
class Policy:
    """How a run is made: whether it heals, how far back, how long an order may be on its way."""

    trigger: str = "schedule"
    heal: bool = True
    window: timedelta = WINDOW
    grace: timedelta = GRACE


SCHEDULED = Policy()


async def reconcile_all(runtime: Runtime) -> str:
    """Reconcile every active channel in every scope that it allows; return a summary."""
    rows = await runtime.database.read(channels.with_capability)
    runs = [run for channel in rows for run in await reconcile(runtime, channel)]
    return f"{len(runs)} runs over {len(rows)} channels"


async def reconcile(
    runtime: Runtime, channel: Row, policy: Policy = SCHEDULED, scope: Scope | None = None
) -> list[str]:
    """Reconcile one channel; return the ids of its runs. A run that fails is kept as failed."""
    connector = runtime.connections.of(channel)
    scopes: list[tuple[Scope, bool]] = [
        (Scope.ORDERS, isinstance(connector, SnapshotOrders)),
        (Scope.LEVELS, isinstance(connector, SnapshotStock)),
        (Scope.WARRANTIES, isinstance(connector, LookupWarranty)),
    ]
    return [
        await _run(runtime, channel, each, policy)
        for each, possible in scopes
        if possible and scope in (None, each)
    ]


async def _run(runtime: Runtime, channel: Row, scope: Scope, policy: Policy) -> str:
    run_id = await runtime.database.write(
        lambda tx: reconciliation.start(tx, channel["id"], scope, policy.trigger, runtime.clock())
    )
    look = {Scope.ORDERS: _orders, Scope.LEVELS: _levels, Scope.WARRANTIES: _warranties}[scope]
    totals = Totals()
    try:
        with rate_limit_wait(poll.PATIENCE_SECONDS):
            async for found in look(runtime, channel, policy, totals):
                totals.differences += len(found)
                rows = await runtime.database.write(partial(_keep, runtime, channel, run_id, found))
                if policy.heal:
                    await heal(runtime, channel, rows)
        await runtime.database.write(
            lambda tx: reconciliation.finish(tx, run_id, totals, runtime.clock())
        )
        if policy.heal:
            await _until_told(runtime, run_id)
    except Exception as error:
        decision = decide(error, 0, runtime.clock())

        def failed(tx: Transaction) -> None:
            now = runtime.clock()
            reconciliation.fail(tx, run_id, decision.error, now)
            apply_to_channel(tx, channel, decision, now, f"reconciling {scope}")

        await runtime.database.write(failed)
        logger.warning("%s of %s not reconciled: %s", scope, channel["code"], decision.error)
    return run_id


def _keep(
    runtime: Runtime, channel: Row, run_id: str, found: Sequence[Difference], tx: Transaction
) -> list[Row]:
    now = runtime.clock()
    rows = [reconciliation.record(tx, run_id, channel["id"], each, now) for each in found]
    for row in rows:
        if row["fix"] == Fix.ASK:
            reconciliation.ask(tx, row, channel, now)
    return rows


async def heal(runtime: Runtime, channel: Row, differences: Sequence[Row]) -> None:
    """Heal what is safe, and tell the channel."""
    safe = [row for row in differences if Fix(row["fix"]) in AUTOMATIC]
    context = runtime.context("reconcile")
    queued = [row for row in safe if Fix(row["fix"]) is not Fix.ACCEPT_ORDER]
    if queued:

        def queue(tx: Transaction) -> None:
            for row in queued:
                reconciliation.heal(tx, context, row)

        await runtime.database.write(queue)
    for row in safe:
        if Fix(row["fix"]) is Fix.ACCEPT_ORDER:
            await heal_one(runtime, channel, row, context)
    if safe:
        await intake.drain(runtime)
        await relay.drain(runtime, channel["id"])


async def _until_told(runtime: Runtime, run_id: str) -> None:
    """Wait, not for ever, while another worker still holds what heals the differences of a run."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAL_SECONDS_MAX):
            while await runtime.database.read(
                lambda tx: tx.value(
                    "SELECT COUNT(*) FROM reconciliation_difference "
                    "WHERE run_id = :run AND state = 'healing'",
                    run=run_id,
                )
            ):
                await asyncio.sleep(HEAL_POLL_SECONDS)


async def heal_one(
    runtime: Runtime, channel: Row, difference: Row, context: CommandContext
) -> None:
    """Heal one difference: read its order again, or queue what tells the channel."""
    if Fix(difference["fix"]) is not Fix.ACCEPT_ORDER:
        await runtime.database.write(lambda tx: reconciliation.heal(tx, context, difference))
        return
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullOrders)  # a channel that shows orders can read one
    ref = _remote_ref(difference)
    order = await connector.read_order(ref)

    def accept(tx: Transaction) -> None:
        reconciliation.heal(tx, context, difference)
        orders.accept(tx, context, channel, order)
        reconciliation.healed(tx, difference["id"], context.now)

    await runtime.database.write(accept)


def _remote_ref(difference: Row) -> str:
    return str(orjson.loads(difference["remote_claim"])["ref"])


Found = AsyncIterator[Sequence[Difference]]


async def _levels(runtime: Runtime, channel: Row, _policy: Policy, totals: Totals) -> Found:
    """Yield what differs, batch by batch; only the names of suspects are kept in memory."""
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotStock)
    started = runtime.clock()
    await _catch_up(runtime, channel)
    suspects: set[str] = set()

    async def compare(batch: Sequence[ObservedLevel]) -> Sequence[Difference]:
        outcome = await runtime.database.write(
            lambda tx: comparison.levels(tx, channel, batch, runtime.clock())
        )
        totals.matched += outcome.matched
        totals.in_flight += outcome.in_flight
        return outcome.differences

    async for batch in _batches(connector.snapshot_stock()):
        suspects.update([each.subject for each in await compare(batch)])
    if suspects:
        await _catch_up(runtime, channel)
        async for batch in _batches(connector.snapshot_stock(), lambda seen: seen.sku in suspects):
            yield await compare(batch)
    missing = await runtime.database.read(
        lambda tx: comparison.missing_listings(tx, channel, started)
    )
    for first in range(0, len(missing), BATCH):
        yield missing[first : first + BATCH]


async def _catch_up(runtime: Runtime, channel: Row) -> None:
    """Take in what the channel sold and tell it what is due, so that only drift is left."""
    await poll.poll(runtime, channel)
    await intake.drain(runtime)
    await relay.drain(runtime, channel["id"])


async def _batches(
    levels: AsyncIterator[ObservedLevel],
    wanted: Callable[[ObservedLevel], bool] = lambda _: True,
) -> AsyncIterator[list[ObservedLevel]]:
    batch: list[ObservedLevel] = []
    async for level in levels:
        if wanted(level):
            batch.append(level)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _orders(runtime: Runtime, channel: Row, policy: Policy, totals: Totals) -> Found:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    await intake.drain(runtime)
    await relay.drain(runtime, channel["id"])
    now = runtime.clock()

    async def compare(order: Order) -> Difference | str:
        return await runtime.database.read(
            lambda tx: comparison.order(tx, channel, order, now, policy.grace)
        )

    async for order in connector.snapshot_orders(now - policy.window, now):
        if found := _counted(await compare(order), totals):
            yield found


def _counted(outcome: Difference | str, totals: Totals) -> Sequence[Difference]:
    """Count what matched or is on its way; return what differs."""
    if isinstance(outcome, Difference):
        return (outcome,)
    if outcome == "in_flight":
        totals.in_flight += 1
    else:
        totals.matched += 1
    return ()


async def _warranties(runtime: Runtime, channel: Row, _policy: Policy, totals: Totals) -> Found:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, channel["id"])
    async for unit, answer in _answers(runtime, channel, connector):
        if found := _counted(comparison.registration(unit, answer), totals):
            yield found


async def _answers(
    runtime: Runtime, channel: Row, connector: LookupWarranty
) -> AsyncIterator[tuple[Row, Warranty]]:
    """Ask about every sold unit, page by page, and remember what is said."""
    units: Sequence[Row] = ()
    while True:
        after = units[-1]["id"] if units else ""
        find = partial(
            comparison.sold_units, channel=channel, after=after, limit=connector.questions_max
        )
        units = await runtime.database.read(find)
        if not units:
            return
        questions = [
            WarrantyQuestion(serial=row["serial"], product=row["model_number"] or row["sku"])
            for row in units
        ]
        answers = list(zip(units, await connector.lookup_warranty(questions), strict=True))
        await runtime.database.write(partial(_remember, runtime, channel, answers))
        for unit, answer in answers:
            yield unit, answer


def _remember(
    runtime: Runtime, channel: Row, answers: Sequence[tuple[Row, Warranty]], tx: Transaction
) -> None:
    for unit, answer in answers:
        warranty_answers.remember(tx, unit["id"], channel["id"], answer, runtime.clock())
