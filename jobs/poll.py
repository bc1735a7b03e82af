"""Polling: pulls orders and returns from their channels by cursor, independently of webhooks.

Each stream has a cursor, which moves only in the transaction that stored the page, so a page that
fails is read again. The inbox drops items that are stored already, by their delivery id.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from connectors import Page, PullOrders, PullReturns
from connectors.remote import rate_limit_wait
from connectors.toolkit.page_size import smaller_pages
from hub import cases
from hub.cases import CaseKind
from hub.clock import micros
from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels, circuit, inbox, streams
from hub.sync.circuit import CircuitState
from jobs import leases, unreadable
from jobs.channel_runs import run_each
from jobs.intake import ORDERS, RETURN, RETURNS
from jobs.probes import judged
from jobs.recovery import (
    Decision,
    apply_to_channel,
    decide,
    report_dead,
    report_retirements,
    report_silence,
)
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

STREAM = streams.ORDERS
RETURN_STREAM = streams.RETURNS
ORDER = "order"  # the topic of an order in the inbox
PAGES_MAX = 500  # of one channel in one run
PAGE_SECONDS_MAX = 120.0  # of one page, its quick retries included
PATIENCE_SECONDS = 30.0  # for a budget that is used up: no lease is held


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of pulled item: name of its cursor, topic in the inbox, serialization, source."""

    name: str
    topic: str
    adapter: TypeAdapter[Any]
    pull: Callable[[str], Awaitable[Page[Any]]]


async def poll_all(runtime: Runtime, wait_seconds: float | None = None) -> str:
    """Pull the orders and returns of every active channel, all at once; return a summary."""
    rows = await runtime.database.read(lambda tx: channels.with_capability(tx, "pull_orders"))
    found = await run_each(runtime, "poll", rows, partial(poll, runtime), wait_seconds)
    return f"{sum(found.results)} new orders or changes from {len(rows)} channels{found}"


async def poll(runtime: Runtime, channel: ChannelRow) -> int:
    """Pull the returns and the orders of one channel; return the number of new ones.

    A failure is kept as a case.
    """
    if channel["waits_until"] > micros(runtime.clock()):
        return 0
    new = 0
    for stream in _streams(runtime, channel):
        try:
            with rate_limit_wait(PATIENCE_SECONDS):
                new += await _pull(runtime, channel, stream)
        except TROUBLES:
            raise  # our own database is away: no failure of the channel
        except Exception as error:
            decision = _decided(await judged(runtime, channel, error), stream, runtime)
            await runtime.database.write(partial(_failed, runtime, channel, stream, decision))
            logger.warning(
                "%s of %s could not be pulled: %s", stream.name, channel["code"], decision.error
            )
    await note_retirements(runtime, channel)
    return new


async def note_retirements(runtime: Runtime, channel: ChannelRow) -> None:
    """Open a case where the channel announces the end of calls that the hub makes."""
    found = runtime.connections.of(channel).api.retirements()
    if found and found != runtime.announced.get(channel["id"]):
        now = runtime.clock()
        await runtime.database.write(lambda tx: report_retirements(tx, channel, found, now))
        runtime.announced[channel["id"]] = found


def _streams(runtime: Runtime, channel: ChannelRow) -> list[Stream]:
    """Return the streams of a channel. Returns come first: they explain smaller orders."""
    connector = runtime.connections.of(channel)
    found = []
    if isinstance(connector, PullReturns) and channels.can(channel, "pull_returns"):
        found.append(Stream(RETURN_STREAM, RETURN, RETURNS, connector.pull_returns))
    if isinstance(connector, PullOrders):
        found.append(Stream(STREAM, ORDER, ORDERS, connector.pull_orders))
    return found


def _decided(error: BaseException, stream: Stream, runtime: Runtime) -> Decision:
    """Decide on a failure; a channel that only lacks the permission for returns goes on."""
    decision = decide(error, 0, runtime.clock())
    if decision.pauses and stream.name == RETURN_STREAM:
        return replace(decision, pauses=False, due_at=None)
    return decision


def _failed(
    runtime: Runtime, channel: ChannelRow, stream: Stream, decision: Decision, tx: Transaction
) -> None:
    now = runtime.clock()
    row = streams.failed(
        tx, channel["id"], stream.name, decision.error, now, timed_out=decision.timed_out
    )
    apply_to_channel(tx, channel, decision, now, stream.name)
    if decision.due_at is None or decision.is_refusal:
        report_dead(tx, channel, stream.name, f"give its {stream.name}", decision, now)
    elif not decision.pauses:
        report_silence(tx, channel, row, runtime.silence, now)


async def _pull(runtime: Runtime, channel: ChannelRow, stream: Stream) -> int:
    def look(tx: Transaction) -> tuple[str, int]:
        row = streams.get(tx, channel["id"], stream.name)
        cursor = channels.cursor(tx, channel["id"], stream.name)
        return cursor, row["page_divisor"] if row else 1

    cursor, divisor = await runtime.database.read(look)
    new = 0
    for _ in range(PAGES_MAX):
        async with leases.one_call(PAGE_SECONDS_MAX):
            with smaller_pages(divisor):
                page = await stream.pull(cursor)
        new += await runtime.database.write(partial(_store, runtime, channel, stream, page, cursor))
        if not page.more:
            break
        cursor = page.cursor
    return new


def _store(
    runtime: Runtime,
    channel: ChannelRow,
    stream: Stream,
    page: Page[Any],
    cursor: str,
    tx: Transaction,
) -> int:
    now = runtime.clock()
    items, odd = unreadable.sort(page.items, stream.topic)
    stored = inbox.accept(
        tx, [message_of(channel, stream.topic, stream.adapter, each) for each in items], now
    )
    unreadable.keep(tx, runtime, channel, [*page.unreadable, *odd], cursor)
    channels.move_cursor(tx, channel["id"], stream.name, page.cursor, now)
    streams.succeeded(tx, channel["id"], stream.name, now)
    cases.settle(tx, CaseKind.SYNC_FAILURE, stream.name, channel["id"], now)
    cases.settle(tx, CaseKind.AUTHENTICATION, channel["code"], channel["id"], now)
    if circuit.of(tx, channel["id"]).state(now) is CircuitState.CLOSED:
        # A person resumed it, and nothing was sent to it since.
        cases.settle(tx, CaseKind.CHANNEL_DOWN, channel["code"], channel["id"], now)
    return stored


def message_of(
    channel: ChannelRow, topic: str, adapter: TypeAdapter[Any], item: Any
) -> inbox.Message:
    """Return the message of an item; the same state of the item gives the same message id."""
    body = adapter.dump_json(item)
    # The content is part of the id: some channels do not change their update time.
    digest = hashlib.sha256(body).hexdigest()[:16]
    kind = "" if topic == ORDER else f"{topic}:"
    return inbox.Message(channel["id"], f"pull:{kind}{item.ref}:{digest}", "pull", topic, body)
