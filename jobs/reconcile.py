"""Reconciliation of one channel: compare twice, store the differences, heal the safe ones.

A mismatch at the first comparison may be in flight, so orders are pulled again and the channel is
read once more before a difference is stored. Batches keep the memory bounded.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import orjson

from connectors import (
    LookupWarranty,
    NotFound,
    NotOurs,
    PullOrders,
    Rejected,
    SnapshotOrders,
    SnapshotStock,
    Unreadable,
    UnreadableRecord,
)
from connectors.remote import rate_limit_wait
from hub import orders
from hub.commands.context import CommandContext
from hub.errors import Refused
from hub.reconciliation import comparison, order_comparison
from hub.reconciliation import differences as reconciliation
from hub.reconciliation.comparison import RegisteredUnit
from hub.reconciliation.differences import ASKED, AUTOMATIC, Difference, Fix, Scope, Totals
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import ObservedLevel, Order, Warranty, WarrantyQuestion
from jobs import intake, poll, relay, unreadable
from jobs.channel_runs import run_each
from jobs.probes import judged
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime
from jobs.warranty import unreadable_answers

logger = logging.getLogger(__name__)

BATCH = 500
UNSEEN_MAX = 100  # orders that are asked for one by one in a run
WINDOW = timedelta(days=2)
HEAL_SECONDS_MAX = 5.0
HEAL_POLL_SECONDS = 0.05
GRACE = timedelta(seconds=60)  # a younger order may be in flight


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run: trigger, healing, period of orders, time an order may be in flight."""

    trigger: str = "schedule"
    heal: bool = True
    window: timedelta = WINDOW
    grace: timedelta = GRACE


SCHEDULED = RunOptions()


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
    look = {Scope.ORDERS: _orders, Scope.LEVELS: _levels, Scope.WARRANTIES: _warranties}[scope]
    totals = Totals()
    try:
        with rate_limit_wait(poll.PATIENCE_SECONDS):
            async for found in look(runtime, channel, options, totals):
                totals.differences += len(found)
                rows = await runtime.database.write(partial(_keep, runtime, channel, run_id, found))
                if options.heal:
                    await heal(runtime, channel, rows)
        await runtime.database.write(
            lambda tx: reconciliation.finish(tx, run_id, totals, runtime.clock())
        )
        if options.heal:
            await _until_healed(runtime, run_id)
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


async def heal(
    runtime: Runtime, channel: ChannelRow, differences: Sequence[ReconciliationDifferenceRow]
) -> None:
    """Heal the differences that are safe to heal, and send the channel what this queued."""
    safe = [row for row in differences if Fix(row["fix"]) in AUTOMATIC]
    context = runtime.context("reconcile")
    queued = [row for row in safe if Fix(row["fix"]) is not Fix.ACCEPT_ORDER]
    if queued:

        def queue(rows: Sequence[ReconciliationDifferenceRow], tx: Transaction) -> None:
            for row in rows:
                reconciliation.heal(tx, context, row["id"])

        try:
            await runtime.database.write(partial(queue, queued))
        except Refused:
            for row in queued:  # one that cannot be healed stops no other
                with _left_to_a_person(row):
                    await runtime.database.write(partial(queue, [row]))
    for row in safe:
        if Fix(row["fix"]) is Fix.ACCEPT_ORDER:
            with _left_to_a_person(row):
                await _heal_order(runtime, channel, row, context)
    if safe:
        await intake.drain(runtime, channel["id"])
        await relay.drain(runtime, channel["id"])


@contextmanager
def _left_to_a_person(row: ReconciliationDifferenceRow) -> Iterator[None]:
    """Leave a difference open whose fix is refused; the report shows it, and the others go on."""
    try:
        yield
    except (Refused, NotFound, Rejected) as refusal:
        logger.warning("%s of %s was not healed: %s", row["kind"], row["subject"], refusal)


async def _until_healed(runtime: Runtime, run_id: str) -> None:
    """Wait up to HEAL_SECONDS_MAX while another worker still heals differences of a run."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAL_SECONDS_MAX):
            while await runtime.database.read(lambda tx: reconciliation.healing(tx, run_id)):
                await asyncio.sleep(HEAL_POLL_SECONDS)


async def heal_one(
    runtime: Runtime, channel: ChannelRow, difference_id: str, context: CommandContext
) -> None:
    """Heal one difference: read its order again, or queue its fix for the channel.

    Raises StepNotAllowed for a difference that is settled, or that only a person can settle.
    """
    difference = await runtime.database.read(lambda tx: reconciliation.get(tx, difference_id))
    if Fix(difference["fix"]) is not Fix.ACCEPT_ORDER:
        await runtime.database.write(lambda tx: reconciliation.heal(tx, context, difference_id))
        return
    await _heal_order(runtime, channel, difference, context)


async def _heal_order(
    runtime: Runtime,
    channel: ChannelRow,
    difference: ReconciliationDifferenceRow,
    context: CommandContext,
) -> None:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullOrders)  # a channel that lists orders can read one
    ref = _remote_ref(difference)
    order = await connector.read_order(ref)

    def accept(tx: Transaction) -> None:
        reconciliation.heal(tx, context, difference["id"])
        orders.accept(tx, context, channel, order)
        reconciliation.healed(tx, difference["id"], context.now)

    await runtime.database.write(accept)


def _remote_ref(difference: ReconciliationDifferenceRow) -> str:
    return str(orjson.loads(difference["remote_claim"])["ref"])


DifferenceBatches = AsyncIterator[Sequence[Difference]]


async def _levels(
    runtime: Runtime, channel: ChannelRow, _options: RunOptions, totals: Totals
) -> DifferenceBatches:
    """Yield the differences of levels in batches; only the SKUs of suspects stay in memory."""
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
        totals.not_kept += outcome.not_kept
        return outcome.differences

    odd: list[UnreadableRecord] = []
    seen = Counter[str]()
    async for batch in _batches(connector.snapshot_stock(), odd):
        seen.update(each.sku for each in batch if each.sku)
        suspects.update([each.subject for each in await compare(batch)])
    several = {sku: times for sku, times in seen.items() if times > 1}
    suspects -= several.keys()
    if several:
        yield [comparison.same_sku_twice(sku, several[sku]) for sku in sorted(several)[:BATCH]]
    await runtime.database.write(lambda tx: unreadable.compared(tx, runtime, channel, odd))
    if suspects:
        await _catch_up(runtime, channel)
        again = connector.snapshot_stock()
        async for batch in _batches(again, [], lambda seen: seen.sku in suspects):
            yield await compare(batch)
    unseen = await runtime.database.read(
        lambda tx: comparison.missing_listings(tx, channel, started)
    )
    # A listing that could not be read is there.
    missing = [
        each for each in unseen if not any(unreadable.mentions(one, each.subject) for one in odd)
    ]
    for first in range(0, len(missing), BATCH):
        yield missing[first : first + BATCH]


async def _catch_up(runtime: Runtime, channel: ChannelRow) -> None:
    """Process the channel's sales and send it what is due, so that only drift remains."""
    await poll.poll(runtime, channel)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])


async def _batches(
    levels: AsyncIterator[ObservedLevel | UnreadableRecord],
    odd: list[UnreadableRecord],
    wanted: Callable[[ObservedLevel], bool] = lambda _: True,
) -> AsyncIterator[list[ObservedLevel]]:
    """Yield levels in batches; those that cannot be read are put into `odd`."""
    batch: list[ObservedLevel] = []
    async for level in levels:
        good, bad = unreadable.sort([level], unreadable.LISTING)
        odd += bad
        batch += [each for each in good if wanted(each)]
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _orders(
    runtime: Runtime, channel: ChannelRow, options: RunOptions, totals: Totals
) -> DifferenceBatches:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotOrders)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])
    now = runtime.clock()

    async def compare(order: Order) -> Difference | str:
        return await runtime.database.read(
            lambda tx: order_comparison.order(tx, channel, order, now, options.grace)
        )

    seen = set[str]()
    async for order in connector.snapshot_orders(now - options.window, now):
        good, odd = unreadable.sort([order], unreadable.ORDER)
        if odd:
            await runtime.database.write(partial(_keep_aside, runtime, channel, odd))
        if not good:
            continue
        order = good[0]
        seen.add(order.ref)
        if found := _counted(await compare(order), totals):
            yield found
    if gone := await _deleted(runtime, channel, options, now, seen):
        yield gone


async def _deleted(
    runtime: Runtime, channel: ChannelRow, options: RunOptions, now: datetime, seen: set[str]
) -> Sequence[Difference]:
    """Find open orders that the channel neither listed nor finds when it is asked for each.

    The period is smaller than that of the list by the grace at both ends, so that an order at its
    edge is not taken for a deleted one.
    """
    connector = runtime.connections.of(channel)
    if not isinstance(connector, PullOrders):
        return ()
    unseen = await runtime.database.read(
        lambda tx: order_comparison.unseen_orders(
            tx,
            channel,
            now - options.window + options.grace,
            now - options.grace,
            seen,
            limit=UNSEEN_MAX,
        )
    )
    found = list[Difference]()
    for known in unseen:
        try:
            await connector.read_order(known["ref"])
        except (NotOurs, Unreadable):
            continue
        except NotFound:
            found.append(order_comparison.deleted_order(known))
    return found


def _keep_aside(
    runtime: Runtime, channel: ChannelRow, odd: Sequence[UnreadableRecord], tx: Transaction
) -> None:
    unreadable.keep(tx, runtime, channel, odd)


def _counted(outcome: Difference | str, totals: Totals) -> Sequence[Difference]:
    """Count a match or an item in flight; return a difference."""
    if isinstance(outcome, Difference):
        return (outcome,)
    if outcome == "in_flight":
        totals.in_flight += 1
    else:
        totals.matched += 1
    return ()


async def _warranties(
    runtime: Runtime, channel: ChannelRow, _options: RunOptions, totals: Totals
) -> DifferenceBatches:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, channel["id"])
    async for unit, answer in _answers(runtime, channel, connector):
        if found := _counted(comparison.registration(unit, answer), totals):
            yield found


async def _answers(
    runtime: Runtime, channel: ChannelRow, connector: LookupWarranty
) -> AsyncIterator[tuple[RegisteredUnit, Warranty]]:
    """Look up every sold unit, page by page, and store the answers."""
    units: Sequence[RegisteredUnit] = ()
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
        of_units = [(unit["id"], answer) for unit, answer in answers]
        await runtime.database.write(partial(_remember, runtime, channel, of_units))
        for unit, answer in answers:
            if isinstance(answer, Warranty):
                yield unit, answer


def _remember(
    runtime: Runtime,
    channel: ChannelRow,
    answers: unreadable_answers.Answers,
    tx: Transaction,
) -> None:
    unreadable_answers.remember(tx, runtime, channel, answers)
