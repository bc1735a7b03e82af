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
from connectors.remote import patience
from hub import channels, orders, warranty
from hub.occasion import Occasion
from hub.reconciling import comparison, reconciliation
from hub.reconciling.reconciliation import AUTOMATIC, Difference, Fix, Scope, Totals
from hub.sql import Row, Transaction
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
    try:
        with patience(poll.PATIENCE_SECONDS):
            totals, found = await look(runtime, channel, policy)
        rows = await runtime.database.write(
            lambda tx: _keep(tx, runtime, channel, run_id, totals, found)
        )
        if policy.heal:
            await heal(runtime, channel, rows)
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
    tx: Transaction,
    runtime: Runtime,
    channel: Row,
    run_id: str,
    totals: Totals,
    found: Sequence[Difference],
) -> list[Row]:
    now = runtime.clock()
    rows = [reconciliation.record(tx, run_id, channel["id"], each, now) for each in found]
    for row in rows:
        if row["fix"] == Fix.ASK:
            reconciliation.ask(tx, row, channel, now)
    reconciliation.finish(tx, run_id, totals, now)
    return rows


async def heal(runtime: Runtime, channel: Row, differences: Sequence[Row]) -> None:
    """Heal what is safe, and wait until the channel was told."""
    safe = [row for row in differences if Fix(row["fix"]) in AUTOMATIC]
    occasion = runtime.occasion("reconcile")
    for row in safe:
        await heal_one(runtime, channel, row, occasion)
    if safe:
        await intake.drain(runtime)
        await relay.drain(runtime, channel["id"])
        await _until_told(runtime, [row["id"] for row in safe])


async def _until_told(runtime: Runtime, difference_ids: list[str]) -> None:
    """Wait, not for ever, while another worker still holds what heals the differences."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAL_SECONDS_MAX):
            while await runtime.database.read(
                lambda tx: tx.value(
                    "SELECT COUNT(*) FROM reconciliation_difference "
                    "WHERE id IN (:ids...) AND state = 'healing'",
                    ids=difference_ids,
                )
            ):
                await asyncio.sleep(HEAL_POLL_SECONDS)


async def heal_one(runtime: Runtime, channel: Row, difference: Row, occasion: Occasion) -> None:
    """Heal one difference: read its order again, or queue what tells the channel."""
    if Fix(difference["fix"]) is not Fix.ACCEPT_ORDER:
        await runtime.database.write(lambda tx: reconciliation.heal(tx, occasion, difference))
        return
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullOrders)  # a channel that shows orders can read one
    ref = _remote_ref(difference)
    order = await connector.read_order(ref)

    def accept(tx: Transaction) -> None:
        reconciliation.heal(tx, occasion, difference)
        orders.accept(tx, occasion, channel, order)
        reconciliation.healed(tx, difference["id"], occasion.now)

    await runtime.database.write(accept)


def _remote_ref(difference: Row) -> str:
    return str(orjson.loads(difference["remote_claim"])["ref"])


async def _levels(
    runtime: Runtime, channel: Row, _policy: Policy
) -> tuple[Totals, list[Difference]]:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotStock)
    started = runtime.clock()
    await _catch_up(runtime, channel)
    totals = Totals()
    suspects: dict[str, Difference] = {}

    async def compare(batch: Sequence[ObservedLevel]) -> comparison.Compared:
        return await runtime.database.write(
            lambda tx: comparison.levels(tx, channel, batch, runtime.clock())
        )

    async for batch in _batches(connector.snapshot_stock()):
        outcome = await compare(batch)
        totals.matched += outcome.matched
        totals.in_flight += outcome.in_flight
        suspects |= {each.subject: each for each in outcome.differences}
    found: list[Difference] = []
    if suspects:
        await _catch_up(runtime, channel)
        async for batch in _batches(connector.snapshot_stock(), lambda seen: seen.sku in suspects):
            outcome = await compare(batch)
            totals.matched += outcome.matched
            totals.in_flight += outcome.in_flight
            found += outcome.differences
    found += await runtime.database.read(
        lambda tx: comparison.missing_listings(tx, channel, started)
    )
    totals.differences = len(found)
    return totals, found


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


async def _orders(
    runtime: Runtime, channel: Row, policy: Policy
) -> tuple[Totals, list[Difference]]:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    await intake.drain(runtime)
    await relay.drain(runtime, channel["id"])
    now = runtime.clock()
    totals, found = Totals(), []

    async def compare(order: Order) -> Difference | str:
        return await runtime.database.read(
            lambda tx: comparison.order(tx, channel, order, now, policy.grace)
        )

    async for order in connector.snapshot_orders(now - policy.window, now):
        outcome = await compare(order)
        if isinstance(outcome, Difference):
            found.append(outcome)
        elif outcome == "in_flight":
            totals.in_flight += 1
        else:
            totals.matched += 1
    totals.differences = len(found)
    return totals, found


async def _warranties(
    runtime: Runtime, channel: Row, _policy: Policy
) -> tuple[Totals, list[Difference]]:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, channel["id"])
    totals, found = Totals(), []
    async for unit, answer in _answers(runtime, channel, connector):
        outcome = comparison.registration(unit, answer)
        if isinstance(outcome, Difference):
            found.append(outcome)
        elif outcome == "in_flight":
            totals.in_flight += 1
        else:
            totals.matched += 1
    totals.differences = len(found)
    return totals, found


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
        warranty.remember(tx, unit["id"], channel["id"], answer, runtime.clock())
