"""The intake: from the inbox to the ledger.

A webhook is a hint: the order is read again from its channel and worked in as it is now. What was
pulled carries the order itself, and a receipt says itself what became of a message. One delivery
that can not be worked in holds up no other.
"""

import logging
from collections.abc import Sequence
from functools import partial

from pydantic import TypeAdapter

from connectors import Connector, PullOrders, ReceiveWebhooks, SendNotice, Transient
from connectors.remote import patience
from hub import channels, inbox, orders
from hub.leases import MESSAGES, Fences
from hub.recalls import notices
from hub.sql import Row, Transaction
from hub.vocabulary import NoticeReceipt, Order
from jobs import leases
from jobs.loops import keep_working
from jobs.recovery import Decision, apply_to_channel, decide, report_dead
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

MESSAGES_MAX = 50  # leased at a time
IDLE_SECONDS = 1.0
# So often a receipt of a message that nobody knows is looked at again; then it is let pass.
RECEIPT_ATTEMPTS_MAX = 5
ORDERS = TypeAdapter(Order)


async def run(runtime: Runtime) -> None:
    """Empty the inbox whenever something comes in, until the process is to stop."""
    await keep_working(runtime, "the intake", ("inbox",), partial(intake, runtime), IDLE_SECONDS)


async def intake(runtime: Runtime) -> int:
    """Work in what is due; return how many deliveries were looked at."""
    waiting = await runtime.database.read(
        lambda tx: tx.row("SELECT 1 AS due FROM inbox WHERE state IN ('waiting', 'leased') LIMIT 1")
    )
    if waiting is None or runtime.stopping.is_set():
        return 0
    messages = await runtime.database.write(
        lambda tx: inbox.lease(tx, runtime.clock(), limit=MESSAGES_MAX, lasts=runtime.lease)
    )
    fences: Fences = {message["id"]: message["fence"] for message in messages}
    async with leases.held(runtime, MESSAGES, fences) as batch:
        for message in messages:
            if runtime.stopping.is_set():
                break  # the rest is given back
            await _work_in(runtime, message, batch)
    return len(messages)


async def drain(runtime: Runtime, *, rounds_max: int = 1_000) -> int:
    """Work in everything that is due now; return how many deliveries were looked at."""
    total = 0
    for _ in range(rounds_max):
        worked = await intake(runtime)
        if not worked:
            break
        total += worked
    return total


async def _work_in(runtime: Runtime, message: Row, batch: leases.Batch) -> None:
    batch.begin(message["id"])
    channel = await runtime.database.read(lambda tx: channels.by_id(tx, message["channel_id"]))
    try:
        receipts = _receipts(runtime, channel, message)
        async with leases.one_call():  # while a lease is held nobody waits for a budget
            with patience(0):
                found = [] if receipts else await _orders(runtime, channel, message)
        await batch.settle(
            [message["id"]], lambda tx: _accept(tx, runtime, channel, message, found, receipts)
        )
    except Exception as error:
        failed = error
        await batch.settle(
            [message["id"]], lambda tx: _failed(tx, runtime, channel, message, failed)
        )


def _receipts(runtime: Runtime, channel: Row, message: Row) -> Sequence[NoticeReceipt]:
    if message["source"] != "webhook":
        return ()
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, SendNotice):
        return ()
    return connector.receipts(message["topic"], bytes(message["body"]))


async def _orders(runtime: Runtime, channel: Row, message: Row) -> list[Order]:
    body = bytes(message["body"])
    if message["source"] != "webhook":
        return [ORDERS.validate_json(body)]
    connector: Connector[object] = runtime.connections.of(channel)  # type: ignore[type-var]
    if not isinstance(connector, ReceiveWebhooks):
        raise TypeError(f"{channel['connector']} takes no webhooks")
    refs = dict.fromkeys(hint.order_ref for hint in connector.read(message["topic"], body))
    if not refs:
        return []
    if not isinstance(connector, PullOrders):
        raise TypeError(f"{channel['connector']} can not read an order back")
    return [await connector.read_order(ref) for ref in refs]


def _accept(
    tx: Transaction,
    runtime: Runtime,
    channel: Row,
    message: Row,
    found: list[Order],
    receipts: Sequence[NoticeReceipt],
) -> None:
    occasion = runtime.occasion("intake")
    subject = found[0].ref if found else None
    if not inbox.done(tx, message, subject, occasion.now):
        return  # the lease was lost: whoever has it now does the work
    for order in found:
        orders.accept(tx, occasion, channel, order)
    if receipts:
        unknown = notices.receive(tx, channel["id"], receipts, occasion.now)
        if unknown and message["attempts"] < RECEIPT_ATTEMPTS_MAX:
            # It may be faster than the answer to the sending; nothing of this is kept.
            raise Transient("no message is known by this id yet")
        notices.discard(tx, message["id"])


def _failed(
    tx: Transaction, runtime: Runtime, channel: Row, message: Row, error: BaseException
) -> None:
    now = runtime.clock()
    decision: Decision = decide(error, message["attempts"], now)
    apply_to_channel(tx, channel, decision, now, message["delivery"])
    if decision.due_at is not None:
        inbox.retry(tx, message, decision.error, decision.due_at, counted=decision.counted)
    elif inbox.give_up(tx, message, decision.error, now):
        report_dead(tx, channel, message["delivery"], message["topic"], decision, now)
