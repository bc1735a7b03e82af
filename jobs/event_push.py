"""Events for channels that keep histories: fed from a cursor into the outbox, told in batches.

A channel is told of what is recorded since it was connected, of the goods of its client (else our
own), at its sites where it names some. Of one unit one event at a time is told, in their order; one
that is refused becomes a dead letter with a case, and steps aside. What a channel works off as a
job is given back, and asked for later: nobody waits for it with a lease in his hand.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson

from connectors import Connector, PushedEvent, PushEvents
from hub.history import event_feed
from hub.history.event_feed import Position
from hub.storage.sql import Row, Transaction
from hub.sync import channels, outbox
from hub.sync.outbox import Fact
from hub.vocabulary import LedgerEvent
from jobs import leases
from jobs.runtime import Runtime

TOPIC = "event"
STREAM = "events"
WAITING_MAX = 500  # facts of a channel; what follows waits in the ledger
EVENTS_MAX = 200  # of the feed, read at a time
JOB_SECONDS = 5  # between two looks after a job

Failed = Callable[[Transaction, Row, BaseException], None]
Arrived = Callable[[Transaction, Row, str], None]


async def feed(runtime: Runtime, channel: Row, connector: PushEvents) -> int:
    """Queue what was recorded since the last look; return 1 where there may be more."""
    if await runtime.database.read(partial(_nothing_new, channel)):
        return 0
    return await runtime.database.write(partial(_feed, runtime, channel, connector))


def _nothing_new(channel: Row, tx: Transaction) -> bool:
    """Look before taking the writer's turn."""
    here = _position(tx, channel)
    return here is not None and (_is_full(tx, channel) or not event_feed.after(tx, here, limit=1))


def _position(tx: Transaction, channel: Row) -> Position | None:
    value = channels.cursor(tx, channel["id"], STREAM)
    if not value:
        return None
    transaction, _, seq = value.partition(":")
    return Position(int(transaction), int(seq))


def _is_full(tx: Transaction, channel: Row) -> bool:
    waiting = tx.value(
        "SELECT COUNT(*) FROM outbox WHERE channel_id = :id AND state IN ('waiting', 'leased')",
        id=channel["id"],
    )
    return int(waiting) >= WAITING_MAX


def _feed(runtime: Runtime, channel: Row, connector: PushEvents, tx: Transaction) -> int:
    now = runtime.clock()
    # Two workers never read the same: the cursor's row is taken first.
    tx.value(
        "SELECT value FROM cursor WHERE channel_id = :id AND stream = :stream FOR UPDATE",
        id=channel["id"],
        stream=STREAM,
    )
    here = _position(tx, channel)
    if here is None:
        _move(tx, channel, event_feed.end(tx), now)  # it is told what is recorded from now on
        return 0
    if _is_full(tx, channel):
        return 0
    rows = event_feed.after(tx, here, limit=EVENTS_MAX)
    if not rows:
        return 0
    chosen = _of_channel(tx, channel, rows)
    wanted = [event.id for event in event_feed.told(tx, chosen) if connector.wants_event(event)]
    units = {row["id"]: row["unit_id"] for row in chosen}
    facts = [Fact(channel["id"], TOPIC, units[each], each, {"event": each}) for each in wanted]
    outbox.put(tx, facts, now)
    _move(tx, channel, Position.behind(rows[-1]), now)
    return int(len(rows) == EVENTS_MAX)


def _of_channel(tx: Transaction, channel: Row, rows: Sequence[Row]) -> list[Row]:
    own = event_feed.shown_to(tx, rows, channel["client_id"])
    sites = set(orjson.loads(channel["site_ids"] or "[]"))
    return [row for row in own if not sites or sites & {row["to_site"], row["from_site"]}]


def _move(tx: Transaction, channel: Row, position: Position, now: datetime) -> None:
    value = f"{position.transaction}:{position.seq}"
    channels.move_cursor(tx, channel["id"], STREAM, value, now)


async def tell(
    runtime: Runtime,
    connector: Connector[Any],
    facts: Sequence[Row],
    batch: leases.Batch,
    arrived: Arrived,
    failed: Failed,
) -> None:
    """Tell leased facts, and look after those that are worked off; settle each with its verdict."""
    assert isinstance(connector, PushEvents)
    events = await runtime.database.read(partial(_events, facts))
    jobs: dict[str | None, list[Row]] = {}
    for fact in facts:
        jobs.setdefault(fact["job"], []).append(fact)
    for job, some in jobs.items():
        for start in range(0, len(some), connector.events_max):
            part = some[start : start + connector.events_max]
            if runtime.stopping.is_set() or not await batch.still_held():
                return  # the rest is given back
            await _tell(runtime, connector, job, part, events, batch, arrived, failed)


def _events(facts: Sequence[Row], tx: Transaction) -> dict[str, LedgerEvent]:
    ids = [orjson.loads(fact["payload"])["event"] for fact in facts]
    rows = event_feed.by_id(tx, ids)
    return {event.id: event for event in event_feed.told(tx, [rows[each] for each in ids])}


async def _tell(
    runtime: Runtime,
    connector: PushEvents,
    job: str | None,
    facts: Sequence[Row],
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
                outbox.is_worked_off(tx, fact, verdict.job, later, runtime.clock())
            else:
                arrived(tx, fact, verdict.answer)

    await batch.settle([fact["seq"] for fact in facts], settle)
