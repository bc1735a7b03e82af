"""Events for channels that keep histories: fed from a cursor into the outbox, sent in batches.

A channel receives the events recorded since it was connected, of the goods of its client (else our
own), at its sites if it has any. Events of one unit are sent one at a time, in their order; a
refused one becomes a dead letter with a case, and is skipped. An event that the channel processes
as a job is requeued and polled later, so that no worker waits with a lease.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson

from connectors import Connector, PushedEvent, PushEvents
from hub.clock import moment
from hub.history import event_feed
from hub.history.event_feed import FeedEvent, Position
from hub.storage.documents import restriction
from hub.storage.rows import ChannelRow, OutboxRow
from hub.storage.sql import Transaction
from hub.sync import channels, outbox
from hub.sync.outbox import Fact
from hub.vocabulary import LedgerEvent
from jobs import leases
from jobs.runtime import Runtime

TOPIC = "event"
STREAM = "events"
WAITING_MAX = 500  # facts of a channel; what follows waits in the ledger
EVENTS_MAX = 200  # of the feed, read at a time
JOB_SECONDS = 5  # between two polls of a job

logger = logging.getLogger(__name__)

_POSITION = re.compile(r"(\d{1,18}):(\d{1,18})")

Failed = Callable[[Transaction, OutboxRow, BaseException], None]
Arrived = Callable[[Transaction, OutboxRow, str], None]


async def feed(runtime: Runtime, channel: ChannelRow, connector: PushEvents) -> int:
    """Queue the events recorded since the last call; return 1 if there may be more."""
    if await runtime.database.read(partial(_nothing_new, channel)):
        return 0
    return await runtime.database.write(partial(_feed, runtime, channel, connector))


def _nothing_new(channel: ChannelRow, tx: Transaction) -> bool:
    """Check without a write transaction whether there is anything to queue."""
    here = _position(tx, channel)
    return here is not None and (_is_full(tx, channel) or not event_feed.after(tx, here, limit=1))


def _position(tx: Transaction, channel: ChannelRow) -> Position | None:
    value = channels.cursor(tx, channel["id"], STREAM)
    if not value:
        return None
    if (kept := _POSITION.fullmatch(value)) is not None:
        return Position(int(kept[1]), int(kept[2]))
    # The channel takes an event twice without harm, and must not miss one.
    logger.warning("%s receives its events again: its position %.60r", channel["code"], value)
    return event_feed.at(tx, moment(channel["created_at"]))


def _is_full(tx: Transaction, channel: ChannelRow) -> bool:
    return outbox.pending(tx, channel["id"]) >= WAITING_MAX


def _feed(runtime: Runtime, channel: ChannelRow, connector: PushEvents, tx: Transaction) -> int:
    now = runtime.clock()
    channels.lock_cursor(tx, channel["id"], STREAM)
    here = _position(tx, channel)
    if here is None:
        _move(tx, channel, event_feed.end(tx), now)  # it receives the events from now on
        return 0
    if _is_full(tx, channel):
        return 0
    rows = event_feed.after(tx, here, limit=EVENTS_MAX)
    if not rows:
        return 0
    chosen = _of_channel(tx, channel, rows)
    outgoing = event_feed.ledger_events(tx, chosen)
    wanted = [event.id for event in outgoing if connector.wants_event(event)]
    units = {row["id"]: row["unit_id"] for row in chosen}
    facts = [Fact(channel["id"], TOPIC, units[each], each, {"event": each}) for each in wanted]
    outbox.put(tx, facts, now)
    _move(tx, channel, Position.behind(rows[-1]), now)
    return int(len(rows) == EVENTS_MAX)


def _of_channel(tx: Transaction, channel: ChannelRow, rows: Sequence[FeedEvent]) -> list[FeedEvent]:
    own = event_feed.shown_to(tx, rows, channel["client_id"])
    sites = restriction(channel["site_ids"])
    return [row for row in own if not sites or sites & {row["to_site"], row["from_site"]}]


def _move(tx: Transaction, channel: ChannelRow, position: Position, now: datetime) -> None:
    value = f"{position.transaction}:{position.seq}"
    channels.move_cursor(tx, channel["id"], STREAM, value, now)


async def push(
    runtime: Runtime,
    connector: Connector[Any],
    facts: Sequence[OutboxRow],
    batch: leases.Batch,
    arrived: Arrived,
    failed: Failed,
) -> None:
    """Send leased event facts and poll those with a job; settle each with its result."""
    assert isinstance(connector, PushEvents)
    events = await runtime.database.read(partial(_events, facts))
    lost = [fact for fact in facts if fact["key"] not in events]
    if lost:
        await _give_up(lost, batch, failed)
    jobs: dict[str | None, list[OutboxRow]] = {}
    for fact in facts:
        if fact["key"] in events:
            jobs.setdefault(fact["job"], []).append(fact)
    for job, some in jobs.items():
        for start in range(0, len(some), connector.events_max):
            part = some[start : start + connector.events_max]
            if runtime.stopping.is_set() or not await batch.still_held():
                return  # the rest is released
            await _push_batch(runtime, connector, job, part, events, batch, arrived, failed)


def _events(facts: Sequence[OutboxRow], tx: Transaction) -> dict[str, LedgerEvent]:
    ids = [orjson.loads(fact["payload"])["event"] for fact in facts]
    rows = event_feed.by_id(tx, ids)
    # An event whose id nobody can read is not found again, and stops none of the others.
    outgoing = event_feed.ledger_events(tx, [rows[each] for each in ids if each in rows])
    return {event.id: event for event in outgoing}


async def _give_up(facts: Sequence[OutboxRow], batch: leases.Batch, failed: Failed) -> None:
    """Note facts whose event cannot be read as failed."""

    def settle(tx: Transaction) -> None:
        for fact in facts:
            failed(tx, fact, LookupError("the event of this message cannot be read"))

    batch.begin(*(fact["seq"] for fact in facts))
    await batch.settle([fact["seq"] for fact in facts], settle)


async def _push_batch(  # noqa: PLR0913 # what a request needs, and where its answers go
    runtime: Runtime,
    connector: PushEvents,
    job: str | None,
    facts: Sequence[OutboxRow],
    events: Mapping[str, LedgerEvent],
    batch: leases.Batch,
    arrived: Arrived,
    failed: Failed,
) -> None:
    asked = [events[fact["key"]] for fact in facts]
    batch.begin(*(fact["seq"] for fact in facts))
    verdicts: dict[str, PushedEvent | BaseException]
    try:
        async with leases.one_call():
            answers = await (
                connector.push_events(asked) if job is None else connector.read_push(job, asked)
            )
        verdicts = {each.event: each for each in answers}
    except Exception as error:
        verdicts = {fact["key"]: error for fact in facts}

    def settle(tx: Transaction) -> None:
        for fact in facts:
            verdict = verdicts.get(fact["key"])
            if isinstance(verdict, BaseException):
                failed(tx, fact, verdict)
            elif verdict is None:
                failed(tx, fact, RuntimeError("the connector did not answer for this event"))
            elif verdict.error is not None:
                outbox.forget_job(tx, fact)
                failed(tx, fact, verdict.error)
            elif verdict.job is not None:
                later = runtime.clock() + timedelta(seconds=JOB_SECONDS)
                outbox.await_job(tx, fact, verdict.job, later, runtime.clock())
            else:
                arrived(tx, fact, verdict.answer)

    await batch.settle([fact["seq"] for fact in facts], settle)
