"""The relay: sends levels and facts from the ledger to the channels, one loop for each channel.

A slow or broken channel does not delay the others. Values are read at the moment of sending, and
only the worker that still holds the lease writes the outcome.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from connectors import (
    Connector,
    NotFound,
    PushedLevel,
    PushEvents,
    PushStock,
    Rejected,
)
from connectors.remote import STARTED_WAIT_SECONDS, rate_limit_wait
from hub import cases
from hub.after_sales import warranty_answers
from hub.cases import CaseKind
from hub.clock import micros
from hub.recalls import contacts, notices
from hub.reconciliation import healing
from hub.returns import refund_requests
from hub.storage.rows import ChannelRow, OutboxRow
from hub.storage.sql import Transaction
from hub.sync import (
    channels,
    circuit,
    listings,
    outbox,
    push_log,
    streams,
)
from hub.sync.circuit import CircuitState
from hub.sync.leases import FACTS, LEVELS, Fences
from hub.sync.listings import LeasedLevel
from hub.vocabulary import (
    Warranty,
)
from jobs import event_push, leases, level_push, probes, push_attempts
from jobs.facts.delivery import Answer, ShownContact, deliver, refund_of
from jobs.probes import judged, judged_levels
from jobs.recovery import (
    Decision,
    apply_to_channel,
    decide,
    reached,
    report_dead,
    report_refusal,
    report_silence,
)
from jobs.runtime import Runtime
from jobs.worker_loop import keep_working, rest

logger = logging.getLogger(__name__)

FACTS_MAX = 20  # leased at a time
LEVELS_PART = "stock levels"  # as a case names them
IDLE_SECONDS = 1.0  # how long a loop sleeps when no signal comes
CHANNELS_SECONDS = 2.0  # how often the relay looks for new channels


async def run(runtime: Runtime) -> None:
    """Serve every channel until the process stops; then finish the work that was started."""
    loops: dict[str, asyncio.Task[None]] = {}
    try:
        while not runtime.stopping.is_set():
            try:
                await _serve_all(runtime, loops)
            except Exception as error:
                logger.warning("the relay could not look for channels: %s", error)
            await rest(runtime, CHANNELS_SECONDS)
        await asyncio.gather(*loops.values(), return_exceptions=True)
    finally:
        for task in loops.values():
            task.cancel()
        await asyncio.gather(*loops.values(), return_exceptions=True)


async def _serve_all(runtime: Runtime, loops: "dict[str, asyncio.Task[None]]") -> None:
    """Start a loop for every channel that has none."""
    for channel_id in await runtime.database.read(channels.ids):
        if channel_id not in loops or loops[channel_id].done():
            loops[channel_id] = asyncio.create_task(_serve(runtime, channel_id))


async def _serve(runtime: Runtime, channel_id: str) -> None:
    what = f"the relay of channel {channel_id}"
    work = partial(relay, runtime, channel_id)
    await keep_working(runtime, what, ("levels", "facts"), work, IDLE_SECONDS)


async def relay(runtime: Runtime, channel_id: str) -> int:
    """Send a channel its due levels and facts; return the number of messages."""
    now = runtime.clock()

    def look(tx: Transaction) -> tuple[ChannelRow, circuit.Circuit]:
        return channels.by_id(tx, channel_id), circuit.of(tx, channel_id)

    channel, breaker = await runtime.database.read(look)
    if channel["state"] != channels.ACTIVE or channel["waits_until"] > micros(now):
        return 0
    if not channels.has_remote(channel):
        return 0
    connector = runtime.connections.of(channel)
    if breaker.state(now) is not CircuitState.CLOSED and not await probes.ask(runtime, channel):
        return 0
    if (wait := await connector.api.wait()) > 0:
        await probes.note_starvation(runtime, channel, wait)
        return 0  # checked before a lease: no worker waits while it holds one
    worked = 0
    with rate_limit_wait(0, started=STARTED_WAIT_SECONDS):
        if isinstance(connector, PushStock):
            worked += await _push_levels(runtime, channel, connector)
        if isinstance(connector, PushEvents):
            worked += await event_push.feed(runtime, channel, connector)
        return worked + await _push_facts(runtime, channel, connector)


async def drain(runtime: Runtime, channel_id: str, *, rounds_max: int = 1_000) -> int:
    """Send a channel everything that is due now; return the number of messages."""
    total = 0
    for _ in range(rounds_max):
        try:
            worked = await relay(runtime, channel_id)
        except leases.LeaseLost:
            break  # another worker sends the rest
        if not worked:
            break
        total += worked
    return total


async def _push_levels(runtime: Runtime, channel: ChannelRow, connector: PushStock) -> int:
    if runtime.stopping.is_set() or not await _anything_due(runtime, channel):
        return 0
    limit = connector.levels_max
    leased = await runtime.database.write(
        lambda tx: listings.lease(tx, channel, runtime.clock(), limit=limit, lasts=runtime.lease)
    )
    if not leased:
        return 0
    fences: Fences = {level.listing_id: level.fence for level in leased}
    async with leases.held(runtime, LEVELS, fences) as batch:
        batch.begin(*fences)
        outcomes = await judged_levels(runtime, channel, await level_push.pushed(connector, leased))
        await batch.settle(fences, lambda tx: _settle(tx, runtime, channel, leased, outcomes))
    return len(leased)


async def _anything_due(runtime: Runtime, channel: ChannelRow) -> bool:
    """Check without a write transaction: most wake-ups concern another channel."""
    now = runtime.clock()
    return await runtime.database.read(lambda tx: listings.anything_due(tx, channel["id"], now))


def _settle(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    leased: Sequence[LeasedLevel],
    outcomes: Mapping[str, PushedLevel | BaseException],
) -> None:
    now = runtime.clock()
    arrived, pushes = [], []
    level_push.learn(tx, leased, outcomes)
    for level in leased:
        outcome = outcomes.get(level.listing_id)
        if level_push.waits(tx, level, outcome, now):
            continue
        if isinstance(outcome, PushedLevel) and outcome.quantity == level.desired:
            arrived += _acknowledged(tx, level, now)
            pushes.append(push_attempts.of_level(level, None))
            continue
        error, observed = level_push.failure(outcome)
        if observed is not None and observed == level.desired:
            # The channel shows the desired quantity by itself: most likely after its own sale.
            arrived += _acknowledged(tx, level, now)
            pushes.append(push_attempts.of_level(level, None))
            continue
        decision = decide(error, level.attempts, now)
        pushes.append(push_attempts.of_level(level, decision))
        _apply(tx, runtime, channel, decision, level.sku, LEVELS_PART)
        keeps = level_push.keeps_job(level, outcome)
        _requeue(tx, channel, level, decision, observed, runtime, keeps_job=keeps)
    push_log.note(tx, channel["id"], pushes, now)
    if arrived:
        reached(tx, channel, now, LEVELS_PART)
    cases.settle_many(tx, CaseKind.SYNC_FAILURE, arrived, channel["id"], now)


def _apply(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    decision: Decision,
    subject: str,
    part: str,
) -> None:
    """Apply a failed push to its channel; a starved or refused one is noticed before it is dead."""
    now = runtime.clock()
    apply_to_channel(tx, channel, decision, now, subject)
    if decision.is_refusal:
        report_refusal(tx, channel, part, decision, now)
    if decision.is_starved:
        row = streams.failed(tx, channel["id"], streams.PUSHES, decision.error, now)
        report_silence(tx, channel, row, runtime.silence, now)


def _acknowledged(tx: Transaction, level: LeasedLevel, now: datetime) -> list[str]:
    """Record that a level was sent and return its SKU; one that was too late is queued again.

    The worker that holds the lease now may have sent a newer figure before this one arrived.
    """
    if not listings.acknowledge(tx, level, level.desired, now):
        listings.touch_listing(tx, level.listing_id, now)
        return []
    healing.sent_listing(tx, level.listing_id, now)
    return [level.sku]


def _requeue(
    tx: Transaction,
    channel: ChannelRow,
    level: LeasedLevel,
    decision: Decision,
    observed: int | None,
    runtime: Runtime,
    *,
    keeps_job: bool,
) -> None:
    if decision.due_at is not None:
        kept = listings.retry(
            tx,
            level,
            decision.error,
            decision.due_at,
            counted=decision.counted,
            observed=observed,
            keeps_job=keeps_job,
        )
        if not kept:  # it may have taken effect after the figure of the next worker
            listings.touch_listing(tx, level.listing_id, runtime.clock())
    elif listings.give_up(tx, level, decision.error):
        healing.refused_listing(tx, level.listing_id, decision.error)
        what = f"that {level.sku} has {level.desired} left"
        report_dead(tx, channel, level.sku, what, decision, runtime.clock())


async def _push_facts(runtime: Runtime, channel: ChannelRow, connector: Connector[Any]) -> int:
    now = runtime.clock()
    due = await runtime.database.read(lambda tx: outbox.anything_due(tx, channel["id"], now))
    if not due or runtime.stopping.is_set():
        return 0
    limit = connector.events_max if isinstance(connector, PushEvents) else FACTS_MAX
    facts = await runtime.database.write(
        lambda tx: outbox.lease(
            tx, channel["id"], runtime.clock(), limit=limit, lasts=runtime.lease
        )
    )
    async with leases.held(runtime, FACTS, {fact["seq"]: fact["fence"] for fact in facts}) as batch:
        events = [fact for fact in facts if fact["topic"] == event_push.TOPIC]
        if events:
            await event_push.push(
                runtime,
                connector,
                events,
                batch,
                lambda tx, fact, answer: _fact_arrived(tx, runtime, channel, fact, answer),
                lambda tx, fact, error: _fact_failed(tx, runtime, channel, fact, error),
            )
        for fact in facts:
            if fact["topic"] == event_push.TOPIC:
                continue
            if runtime.stopping.is_set() or not await batch.still_held():
                break  # the rest is released
            await _push_fact(runtime, channel, connector, fact, batch)
    return len(facts)


async def _push_fact(
    runtime: Runtime,
    channel: ChannelRow,
    connector: Connector[Any],
    fact: OutboxRow,
    batch: leases.Batch,
) -> None:
    outcome: Callable[[Transaction], None]
    batch.begin(fact["seq"])
    try:
        async with leases.one_call():
            answer = await deliver(runtime, channel, connector, fact)
    except Exception as error:
        failed = await judged(runtime, channel, error)
        outcome = lambda tx: _fact_failed(tx, runtime, channel, fact, failed)  # noqa: E731
    else:
        outcome = lambda tx: _fact_arrived(tx, runtime, channel, fact, answer)  # noqa: E731
    await batch.settle([fact["seq"]], outcome)


def _fact_arrived(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, fact: OutboxRow, answer: Answer
) -> None:
    now = runtime.clock()
    text = str(answer.status) if isinstance(answer, Warranty) else str(answer)
    if not outbox.sent(tx, fact, text, now):
        return
    push_log.note(tx, channel["id"], [push_attempts.of_fact(fact, None, text)], now)
    if fact["topic"] == notices.TOPIC and text:
        notices.sent(tx, fact["subject"], text, now)
    if fact["topic"] == refund_requests.TOPIC:
        refund_requests.paid(tx, runtime.context("refunds"), refund_of(fact), text)
    if isinstance(answer, ShownContact) and runtime.vault is not None:
        context = runtime.context("contacts")
        contacts.keep(tx, context, runtime.vault, fact["subject"], answer.contact)
    if isinstance(answer, Warranty):
        warranty_answers.remember(tx, fact["subject"], channel["id"], answer, now)
    reached(tx, channel, now, fact["topic"])
    healing.sent_fact(tx, fact, now)
    cases.settle_many(tx, CaseKind.SYNC_FAILURE, [fact["subject"]], channel["id"], now)


def _fact_failed(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, fact: OutboxRow, error: BaseException
) -> None:
    now = runtime.clock()
    decision = decide(error, fact["attempts"], now)
    push_log.note(tx, channel["id"], [push_attempts.of_fact(fact, decision)], now)
    _apply(tx, runtime, channel, decision, fact["subject"], fact["topic"])
    if decision.due_at is not None:
        outbox.retry(tx, fact, decision.error, decision.due_at, now, counted=decision.counted)
    elif outbox.give_up(tx, fact, decision.error, now):
        healing.refused_fact(tx, fact, decision.error)
        if fact["topic"] in notices.TOPICS:
            notices.failed(tx, fact["subject"], now)
        if fact["topic"] == refund_requests.TOPIC:
            refused = isinstance(error, Rejected | NotFound)
            context = runtime.context("refunds")
            refund_requests.failed(tx, context, refund_of(fact), decision.error, refused=refused)
            return
        what = f"a {fact['topic']}"
        report_dead(tx, channel, fact["subject"], what, decision, now)
