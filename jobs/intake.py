"""The intake: from the inbox to the ledger.

A webhook is a hint: the order is read again from its channel and worked in as it is now. What was
pulled carries the order itself, and a receipt says itself what became of a message. One delivery
that can not be worked in holds up no other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import TypeAdapter

from connectors import (
    AuthFailed,
    Connector,
    PullOrders,
    PullReturns,
    ReceiveQueue,
    ReceiveWebhooks,
    SendNotice,
    Transient,
)
from connectors.remote import rate_limit_wait
from hub import cases, orders
from hub.cases import CaseKind
from hub.recalls import notices
from hub.returns import channel_returns
from hub.storage.sql import Row, Transaction
from hub.sync import channels, inbox
from hub.sync.leases import MESSAGES, Fences
from hub.vocabulary import NoticeReceipt, Order, Return
from jobs import leases
from jobs.recovery import Decision, apply_to_channel, decide, report_dead
from jobs.runtime import Runtime
from jobs.worker_loop import keep_working

logger = logging.getLogger(__name__)

MESSAGES_MAX = 50  # leased at a time
IDLE_SECONDS = 1.0
# So often a receipt of a message that nobody knows is looked at again; then it is let pass.
RECEIPT_ATTEMPTS_MAX = 5
ORDERS = TypeAdapter(Order)
RETURNS = TypeAdapter(Return)
QUEUE = "queue"  # the source of what was taken from a channel's queue
HINTED = ("webhook", QUEUE)  # a delivery from there is a hint; any other carries what it is about
RETURN = "return"  # the topic of a return that was pulled


@dataclass(slots=True)
class Found:
    """What a delivery is about, read into the words of the house."""

    orders: Sequence[Order] = ()
    returns: Sequence[Return] = ()
    receipts: Sequence[NoticeReceipt] = ()

    @property
    def subject(self) -> str | None:
        """Return the channel's reference of the order that it is about."""
        if self.orders:
            return self.orders[0].ref
        return self.returns[0].order_ref if self.returns else None


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
        try:
            worked = await intake(runtime)
        except leases.LeaseLost:
            break  # whoever has it now works in the rest
        if not worked:
            break
        total += worked
    return total


async def _work_in(runtime: Runtime, message: Row, batch: leases.Batch) -> None:
    batch.begin(message["id"])
    channel = await runtime.database.read(lambda tx: channels.by_id(tx, message["channel_id"]))
    try:
        receipts = _receipts(runtime, channel, message)
        async with leases.one_call():
            with rate_limit_wait(0):  # a lease is held
                found = (
                    Found(receipts=receipts) if receipts else await _read(runtime, channel, message)
                )
        await batch.settle(
            [message["id"]], lambda tx: _accept(tx, runtime, channel, message, found)
        )
    except Exception as error:
        failed = error
        await batch.settle(
            [message["id"]], lambda tx: _failed(tx, runtime, channel, message, failed)
        )


def _receipts(runtime: Runtime, channel: Row, message: Row) -> Sequence[NoticeReceipt]:
    if message["source"] not in HINTED:
        return ()
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, SendNotice):
        return ()
    return connector.receipts(message["topic"], bytes(message["body"]))


async def _read(runtime: Runtime, channel: Row, message: Row) -> Found:
    body = bytes(message["body"])
    if message["source"] not in HINTED:
        if message["topic"] == RETURN:
            return Found(returns=[RETURNS.validate_json(body)])
        return Found(orders=[ORDERS.validate_json(body)])
    connector: Connector[object] = runtime.connections.of(channel)  # type: ignore[type-var]
    if not isinstance(connector, ReceiveWebhooks | ReceiveQueue):
        raise TypeError(f"{channel['connector']} takes no webhooks and has no queue")
    refs = dict.fromkeys(hint.order_ref for hint in connector.read(message["topic"], body))
    if not refs:
        return Found()
    if not isinstance(connector, PullOrders):
        raise TypeError(f"{channel['connector']} can not read an order back")
    # Returns before their order: what was refunded explains why its lines are smaller.
    returns = [each for ref in refs for each in await _returns(channel, connector, ref)]
    return Found([await connector.read_order(ref) for ref in refs], returns)


async def _returns(channel: Row, connector: object, ref: str) -> Sequence[Return]:
    """Read the returns of an order, where the channel was connected with that permission."""
    if not isinstance(connector, PullReturns) or not channels.can(channel, "pull_returns"):
        return ()
    try:
        return await connector.read_returns(ref)
    except AuthFailed as error:
        # The order itself may still be read; the poll tells a person.
        logger.warning("returns of %s could not be read: %s", channel["code"], error)
        return ()


def _accept(tx: Transaction, runtime: Runtime, channel: Row, message: Row, found: Found) -> None:
    context = runtime.context("intake")
    if not inbox.done(tx, message, found.subject, context.now):
        return  # the lease was lost: whoever has it now does the work
    for each in found.returns:
        channel_returns.accept(tx, context, channel, each)
    for order in found.orders:
        # Some channels make an order of its own for what comes back: it sells nothing.
        if order.lines or not found.returns:
            orders.accept(tx, context, channel, order)
    if found.orders and found.returns:
        channel_returns.look_again(tx, context, channel, [each.ref for each in found.returns])
    # It may have been given up before, and replayed.
    cases.settle(tx, CaseKind.SYNC_FAILURE, message["delivery"], channel["id"], context.now)
    if found.receipts:
        unknown = notices.receive(tx, channel["id"], found.receipts, context.now)
        if unknown and message["attempts"] < RECEIPT_ATTEMPTS_MAX:
            # It may be faster than the answer to the sending; nothing of this is kept.
            raise Transient("no message is known by this id yet")
        notices.discard(tx, message["id"])


def _failed(
    tx: Transaction, runtime: Runtime, channel: Row, message: Row, error: BaseException
) -> None:
    now = runtime.clock()
    told = message["source"] == "webhook"
    decision: Decision = decide(error, message["attempts"], now, may_come=told)
    apply_to_channel(tx, channel, decision, now, message["delivery"])
    if decision.due_at is not None:
        inbox.retry(tx, message, decision.error, decision.due_at, counted=decision.counted)
    elif inbox.give_up(tx, message, decision.error, now):
        report_dead(tx, channel, message["delivery"], message["topic"], decision, now)
