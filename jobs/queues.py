"""Queues of channels: messages are stored in the inbox, then deleted from the queue.

A message is acknowledged only after its delivery was committed. If the worker dies in between, the
queue delivers it again; the inbox drops it by its id. As with webhooks, `jobs.intake` interprets
it later.
"""

import logging
from collections.abc import Sequence
from functools import partial

from connectors import ConnectorError, QueueMessage, ReceiveQueue
from connectors.remote import rate_limit_wait
from hub import cases
from hub.cases import CaseKind
from hub.clock import micros
from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels, inbox, streams
from jobs.channel_runs import run_each
from jobs.poll import PATIENCE_SECONDS
from jobs.recovery import Decision, decide, report_dead, report_silence
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

ROUNDS_MAX = 200  # of one channel in one run


async def empty_all(runtime: Runtime) -> str:
    """Empty the queues of every active channel that has one; return a summary."""
    rows = await runtime.database.read(lambda tx: channels.with_capability(tx, "receive_queue"))
    found = await run_each(runtime, streams.QUEUE, rows, partial(empty, runtime))
    return f"{sum(found.results)} new notices from {len(rows)} queues{found}"


async def empty(runtime: Runtime, channel: ChannelRow) -> int:
    """Store all messages of the queue of one channel; return the number of new ones."""
    if channel["waits_until"] > micros(runtime.clock()):
        return 0
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, ReceiveQueue):
        return 0
    new = 0
    try:
        with rate_limit_wait(PATIENCE_SECONDS):
            for _ in range(ROUNDS_MAX):
                if runtime.stopping.is_set():
                    break
                messages = await connector.receive()
                if not messages:
                    break
                new += await runtime.database.write(partial(_store, runtime, channel, messages))
                await connector.acknowledge([each.receipt for each in messages])
        await _note_success(runtime, channel)
    except TROUBLES:
        raise  # our own database is away: messages that were not stored stay in the queue
    except Exception as error:
        decision = decide(error, 0, runtime.clock())
        await runtime.database.write(partial(_failed, runtime, channel, decision))
        log = logger.warning if isinstance(error, ConnectorError) else logger.exception
        log("the queue of %s could not be emptied: %s", channel["code"], decision.error)
    return new


async def _note_success(runtime: Runtime, channel: ChannelRow) -> None:
    now = runtime.clock()
    row = await runtime.database.read(lambda tx: streams.get(tx, channel["id"], streams.QUEUE))
    if not streams.is_stale(row, now):
        return

    def note(tx: Transaction) -> None:
        streams.succeeded(tx, channel["id"], streams.QUEUE, now)
        cases.settle(tx, CaseKind.SYNC_FAILURE, inbox.QUEUE, channel["id"], now)

    await runtime.database.write(note)


def _store(
    runtime: Runtime, channel: ChannelRow, messages: Sequence[QueueMessage], tx: Transaction
) -> int:
    now = runtime.clock()
    stored = [
        inbox.Message(channel["id"], each.call.id, inbox.QUEUE, each.call.topic, each.body)
        for each in messages
    ]
    return inbox.accept(tx, stored, now)


def _failed(runtime: Runtime, channel: ChannelRow, decision: Decision, tx: Transaction) -> None:
    """Open a case. The channel itself goes on: its orders are also pulled, only later."""
    now = runtime.clock()
    row = streams.failed(tx, channel["id"], streams.QUEUE, decision.error, now)
    if decision.pauses or decision.due_at is None:
        report_dead(tx, channel, inbox.QUEUE, "that its queue is read", decision, now)
    else:
        report_silence(tx, channel, row, runtime.silence, now)
