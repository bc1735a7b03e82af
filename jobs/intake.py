"""The intake: processes deliveries from the inbox into the ledger.

A webhook is a hint: the order is read again from its channel and processed as it is now. A pulled
delivery contains the order itself, a receipt the outcome of a message. A delivery that can not be
processed does not block the others.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import TypeAdapter

from connectors import (
    AuthFailed,
    Connector,
    NotOurs,
    PullOrders,
    PullReturns,
    ReceiveQueue,
    ReceiveWebhooks,
    SendNotice,
    Transient,
    Unreadable,
    UnreadableRecord,
)
from connectors.remote import rate_limit_wait
from hub import cases, orders
from hub.cases import CaseKind
from hub.recalls import notices
from hub.returns import channel_returns
from hub.storage.rows import ChannelRow, InboxRow
from hub.storage.sql import Transaction
from hub.sync import channels, inbox
from hub.sync.leases import MESSAGES, Fences
from hub.vocabulary import NoticeReceipt, Order, Return
from jobs import leases, unreadable
from jobs.recovery import Decision, apply_to_channel, decide, report_dead
from jobs.runtime import Runtime
from jobs.worker_loop import keep_working

logger = logging.getLogger(__name__)

MESSAGES_MAX = 50  # leased at a time
IDLE_SECONDS = 1.0
# A receipt of an unknown message is retried this often; then it is dropped.
RECEIPT_ATTEMPTS_MAX = 5
ORDERS = TypeAdapter(Order)
RETURNS = TypeAdapter(Return)
QUEUE = "queue"  # the source of messages from a channel's queue
HINTED = ("webhook", QUEUE)  # sources of hints; any other delivery carries its content
RETURN = "return"  # the topic of a return that was pulled


@dataclass(slots=True)
class DeliveryContent:
    """Content of a delivery, in our own vocabulary."""

    orders: Sequence[Order] = ()
    returns: Sequence[Return] = ()
    receipts: Sequence[NoticeReceipt] = ()
    unreadable: Sequence[UnreadableRecord] = ()
    cursor: str | None = None  # of the page on which the unreadable ones stand

    @property
    def subject(self) -> str | None:
        """Return the channel's reference of the first order or returned order, if any."""
        if self.orders:
            return self.orders[0].ref
        return self.returns[0].order_ref if self.returns else None


async def run(runtime: Runtime) -> None:
    """Empty the inbox whenever something arrives, until the process stops."""
    await keep_working(runtime, "the intake", ("inbox",), partial(intake, runtime), IDLE_SECONDS)


async def intake(runtime: Runtime) -> int:
    """Process due deliveries; return their number."""
    waiting = await runtime.database.read(inbox.anything_waiting)
    if not waiting or runtime.stopping.is_set():
        return 0
    messages = await runtime.database.write(
        lambda tx: inbox.lease(tx, runtime.clock(), limit=MESSAGES_MAX, lasts=runtime.lease)
    )
    fences: Fences = {message["id"]: message["fence"] for message in messages}
    async with leases.held(runtime, MESSAGES, fences) as batch:
        for message in messages:
            if runtime.stopping.is_set():
                break  # the rest is released
            await _process(runtime, message, batch)
    return len(messages)


async def drain(runtime: Runtime, *, rounds_max: int = 1_000) -> int:
    """Process all due deliveries; return their number."""
    total = 0
    for _ in range(rounds_max):
        try:
            worked = await intake(runtime)
        except leases.LeaseLost:
            break  # another worker processes the rest
        if not worked:
            break
        total += worked
    return total


async def _process(runtime: Runtime, message: InboxRow, batch: leases.Batch) -> None:
    batch.begin(message["id"])
    channel = await runtime.database.read(lambda tx: channels.by_id(tx, message["channel_id"]))
    try:
        receipts = _receipts(runtime, channel, message)
        async with leases.one_call():
            with rate_limit_wait(0):  # a lease is held
                content = (
                    DeliveryContent(receipts=receipts)
                    if receipts
                    else await _read(runtime, channel, message)
                )
        await batch.settle(
            [message["id"]], lambda tx: _accept(tx, runtime, channel, message, content)
        )
    except Exception as error:
        failed = error
        await batch.settle(
            [message["id"]], lambda tx: _failed(tx, runtime, channel, message, failed)
        )


def _receipts(runtime: Runtime, channel: ChannelRow, message: InboxRow) -> Sequence[NoticeReceipt]:
    if message["source"] not in HINTED:
        return ()
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, SendNotice):
        return ()
    return connector.receipts(message["topic"], bytes(message["body"]))


async def _read(runtime: Runtime, channel: ChannelRow, message: InboxRow) -> DeliveryContent:
    body = bytes(message["body"])
    if message["source"] == unreadable.SOURCE:
        return await _read_again(runtime, channel, unreadable.KEPT.validate_json(body))
    if message["source"] not in HINTED:
        if message["topic"] == RETURN:
            return DeliveryContent(returns=[RETURNS.validate_json(body)])
        return DeliveryContent(orders=[ORDERS.validate_json(body)])
    connector: Connector[object] = runtime.connections.of(channel)  # type: ignore[type-var]
    if not isinstance(connector, ReceiveWebhooks | ReceiveQueue):
        raise TypeError(f"{channel['connector']} takes no webhooks and has no queue")
    refs = dict.fromkeys(hint.order_ref for hint in connector.read(message["topic"], body))
    if not refs:
        return DeliveryContent()
    if not isinstance(connector, PullOrders):
        raise TypeError(f"{channel['connector']} can not read an order back")
    return await _read_orders(channel, connector, list(refs))


async def _read_orders(
    channel: ChannelRow, connector: PullOrders, refs: Sequence[str]
) -> DeliveryContent:
    """Read orders as they are now; those of other channels of the account are left out."""
    orders, returns = list[Order](), list[Return]()
    odd = list[UnreadableRecord]()
    for ref in refs:
        # Returns before their order: what was refunded explains why its lines are smaller.
        with _setting_aside(odd):
            good, bad = unreadable.sort(await _returns(channel, connector, ref), unreadable.RETURN)
            returns += good
            odd += bad
        with _setting_aside(odd):
            good, bad = unreadable.sort([await connector.read_order(ref)], unreadable.ORDER)
            orders += good
            odd += bad
    return DeliveryContent(orders, returns, unreadable=odd)


@contextmanager
def _setting_aside(odd: list[UnreadableRecord]) -> Iterator[None]:
    """Put a record that cannot be read into `odd`; ignore one that belongs to another channel."""
    try:
        yield
    except NotOurs:
        return
    except Unreadable as error:
        odd.append(error.record)


async def _read_again(
    runtime: Runtime, channel: ChannelRow, kept: unreadable.Kept
) -> DeliveryContent:
    """Read a record again that could not be read: by its reference, or with its whole page."""
    connector: object = runtime.connections.of(channel)
    record = kept.record
    if record.ref is not None and isinstance(connector, PullOrders):
        return await _read_orders(channel, connector, [record.ref])
    if record.kind == unreadable.RETURN and isinstance(connector, PullReturns):
        returns = await connector.pull_returns(kept.cursor or "")
        good, odd = unreadable.sort(returns.items, record.kind)
        return DeliveryContent((), good, (), [*returns.unreadable, *odd], kept.cursor)
    if isinstance(connector, PullOrders):
        page = await connector.pull_orders(kept.cursor or "")
        good, odd = unreadable.sort(page.items, record.kind)
        return DeliveryContent(good, (), (), [*page.unreadable, *odd], kept.cursor)
    raise TypeError(f"{channel['connector']} can not read a record back")


async def _returns(channel: ChannelRow, connector: object, ref: str) -> Sequence[Return]:
    """Read the returns of an order, where the channel was connected with that permission."""
    if not isinstance(connector, PullReturns) or not channels.can(channel, "pull_returns"):
        return ()
    try:
        return await connector.read_returns(ref)
    except AuthFailed as error:
        # The order itself may still be read; the poll opens a case.
        logger.warning("returns of %s could not be read: %s", channel["code"], error)
        return ()


def _accept(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    message: InboxRow,
    content: DeliveryContent,
) -> None:
    context = runtime.context("intake")
    subject = message["subject"] if message["source"] == unreadable.SOURCE else content.subject
    if not inbox.done(tx, message, subject, context.now):
        return  # the lease was lost: another worker processes it
    for each in content.returns:
        channel_returns.accept(tx, context, channel, each)
    for order in content.orders:
        # Some channels create an extra order for a return; it has no lines.
        if order.lines or not content.returns:
            orders.accept(tx, context, channel, order)
    _settle_unreadable(tx, runtime, channel, message, content)
    if content.orders and content.returns:
        channel_returns.review_again(tx, context, channel, [each.ref for each in content.returns])
    # It may have been given up before, and replayed.
    cases.settle(tx, CaseKind.SYNC_FAILURE, message["delivery"], channel["id"], context.now)
    if content.receipts:
        unknown = notices.receive(tx, channel["id"], content.receipts, context.now)
        if unknown and message["attempts"] < RECEIPT_ATTEMPTS_MAX:
            # The receipt may be faster than the answer to the sending; this is rolled back.
            raise Transient("no message is known by this id yet")
        notices.discard(tx, message["id"])


def _settle_unreadable(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    message: InboxRow,
    content: DeliveryContent,
) -> None:
    """Close the cases of what was read, then keep what could not be read, also not again."""
    read = {each.ref for each in content.orders}
    read |= {f"{unreadable.RETURN} {each.order_ref}" for each in content.returns}
    if message["source"] == unreadable.SOURCE and message["subject"]:
        read.add(message["subject"])
    odd = {unreadable.subject_of(record) for record in content.unreadable}
    unreadable.settle(tx, runtime, channel, sorted(read - odd))
    unreadable.keep(tx, runtime, channel, content.unreadable, content.cursor)


def _failed(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, message: InboxRow, error: BaseException
) -> None:
    now = runtime.clock()
    hinted = message["source"] == "webhook"
    decision: Decision = decide(error, message["attempts"], now, may_come=hinted)
    apply_to_channel(tx, channel, decision, now, message["delivery"])
    if decision.due_at is not None:
        inbox.retry(tx, message, decision.error, decision.due_at, counted=decision.counted)
    elif inbox.give_up(tx, message, decision.error, now):
        report_dead(tx, channel, message["delivery"], message["topic"], decision, now)
