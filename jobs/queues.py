"""Queues: what a channel put into a queue of ours is stored in the inbox, then deleted there.

A message is acknowledged only after its delivery was committed. A worker that dies in between
leaves it where it is: it comes again, is known by its id and deleted then. As with webhooks,
nothing is understood yet; `jobs.intake` does that.
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
from hub.storage.sql import Row, Transaction
from hub.sync import channels, inbox
from jobs.intake import QUEUE
from jobs.poll import PATIENCE_SECONDS
from jobs.recovery import Decision, decide, report_dead
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

ROUNDS_MAX = 200  # of one channel in one run


async def empty_all(runtime: Runtime) -> str:
    """Empty the queues of every active channel that has one; return a summary."""
    rows = await runtime.database.read(lambda tx: channels.with_capability(tx, "receive_queue"))
    new = [await empty(runtime, channel) for channel in rows]
    return f"{sum(new)} new notices from {len(rows)} queues"


async def empty(runtime: Runtime, channel: Row) -> int:
    """Store everything that waits in the queue of one channel; return how much of it was new."""
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
    except TROUBLES:
        raise  # our own database is away: what was not stored was not acknowledged either
    except Exception as error:
        decision = decide(error, 0, runtime.clock())
        if decision.pauses or decision.due_at is None:
            await runtime.database.write(partial(_failed, runtime, channel, decision))
        log = logger.warning if isinstance(error, ConnectorError) else logger.exception
        log("the queue of %s could not be emptied: %s", channel["code"], decision.error)
    return new


def _store(
    runtime: Runtime, channel: Row, messages: Sequence[QueueMessage], tx: Transaction
) -> int:
    now = runtime.clock()
    stored = [
        inbox.Message(channel["id"], each.call.id, QUEUE, each.call.topic, each.body)
        for each in messages
    ]
    cases.settle(tx, CaseKind.SYNC_FAILURE, QUEUE, channel["id"], now)
    return inbox.accept(tx, stored, now)


def _failed(runtime: Runtime, channel: Row, decision: Decision, tx: Transaction) -> None:
    """Call a person. The channel itself goes on: its orders are also pulled, only later."""
    report_dead(tx, channel, QUEUE, "that its queue is read", decision, runtime.clock())
