"""The intake: processes deliveries from the inbox into the ledger.

A webhook is a hint: the order is read again from its channel and processed as it is now. A pulled
delivery contains the order itself, a receipt the outcome of a message. A delivery that can not be
processed does not block the others.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from pydantic import TypeAdapter

from connectors import (
    AuthFailed,
    NotFound,
    NotOurs,
    PrivacyRequest,
    PullOrders,
    PullReturns,
    ReceivePrivacyRequests,
    ReceiveQueue,
    ReceiveWebhooks,
    SendNotice,
    Transient,
    Unreadable,
    UnreadableRecord,
)
from connectors.remote import STARTED_WAIT_SECONDS, rate_limit_wait
from hub import cases, orders
from hub.cases import CaseKind
from hub.clock import moment
from hub.recalls import notices
from hub.returns import channel_returns
from hub.storage.rows import ChannelRow, InboxRow
from hub.storage.sql import Transaction
from hub.sync import channels, inbox
from hub.sync.leases import MESSAGES, Fences
from hub.vocabulary import NoticeReceipt, Order, Return
from jobs import deletions, leases, unreadable
from jobs.maintenance import privacy
from jobs.probes import judged
from jobs.recovery import Decision, apply_to_channel, decide, report_dead
from jobs.runtime import Runtime
from jobs.worker_loop import keep_working

logger = logging.getLogger(__name__)

MESSAGES_MAX = 200  # leased at a time: hints for one order are answered together
IDLE_SECONDS = 1.0
# A receipt of an unknown message is retried this often; then it is dropped.
RECEIPT_ATTEMPTS_MAX = 5
ORDERS = TypeAdapter(Order)
RETURNS = TypeAdapter(Return)
RETURN = "return"  # the topic of a return that was pulled


@dataclass(slots=True)
class DeliveryContent:
    """Content of a delivery, in our own vocabulary."""

    orders: Sequence[Order] = ()
    returns: Sequence[Return] = ()
    receipts: Sequence[NoticeReceipt] = ()
    privacy: PrivacyRequest | None = None
    unreadable: Sequence[UnreadableRecord] = ()
    cursor: str | None = None  # of the page on which the unreadable ones stand
    deleted: Sequence[str] = ()  # references of orders that the channel no longer has

    @property
    def subject(self) -> str | None:
        """Return the channel's reference of the first order or returned order, if any."""
        if self.orders or self.deleted:
            return self.orders[0].ref if self.orders else self.deleted[0]
        return self.returns[0].order_ref if self.returns else None

    def with_more(self, other: "DeliveryContent") -> "DeliveryContent":
        """Return the content together with orders and returns of another read."""
        return replace(
            self,
            orders=[*self.orders, *other.orders],
            returns=[*self.returns, *other.returns],
            unreadable=[*self.unreadable, *other.unreadable],
        )


async def run(runtime: Runtime) -> None:
    """Empty the inbox whenever something arrives, until the process stops.

    Each channel is served on its own: one whose calls hang delays only its own deliveries.
    """
    tasks: dict[str, asyncio.Task[int]] = {}
    try:
        work = partial(_serve_waiting, runtime, tasks)
        await keep_working(runtime, "the intake", ("inbox",), work, IDLE_SECONDS)
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _serve_waiting(runtime: Runtime, tasks: "dict[str, asyncio.Task[int]]") -> int:
    """Begin to serve each channel that has due deliveries and is not served now."""
    for channel_id in [each for each, task in tasks.items() if task.done()]:
        task = tasks.pop(channel_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("the intake waits: %s: %s", type(error).__name__, error)
    waiting = await runtime.database.read(lambda tx: inbox.channels_waiting(tx, runtime.clock()))
    for channel_id in waiting:
        if channel_id not in tasks and not runtime.stopping.is_set():
            tasks[channel_id] = asyncio.create_task(drain(runtime, channel_id))
    return 0  # what arrives meanwhile wakes the loop again


async def intake(runtime: Runtime, channel_id: str | None = None) -> int:
    """Process due deliveries, of one channel or of each; return their number."""
    if runtime.stopping.is_set():
        return 0
    if channel_id is None:
        waiting = await runtime.database.read(
            lambda tx: inbox.channels_waiting(tx, runtime.clock())
        )
        return sum(await asyncio.gather(*(intake(runtime, each) for each in waiting)))
    messages = await runtime.database.write(
        lambda tx: inbox.lease(
            tx, runtime.clock(), limit=MESSAGES_MAX, lasts=runtime.lease, channel_id=channel_id
        )
    )
    if not messages:
        return 0
    channel = await runtime.database.read(lambda tx: channels.by_id(tx, channel_id))
    fences: Fences = {message["id"]: message["fence"] for message in messages}
    async with leases.held(runtime, MESSAGES, fences) as batch:
        for group in _by_subject(runtime, channel, messages):
            if runtime.stopping.is_set():
                break  # the rest is released
            await _process(runtime, channel, group, batch)
    return len(messages)


async def drain(runtime: Runtime, channel_id: str | None = None, *, rounds_max: int = 1_000) -> int:
    """Process all due deliveries, of one channel or of all; return their number."""
    total = 0
    for _ in range(rounds_max):
        try:
            worked = await intake(runtime, channel_id)
        except leases.LeaseLost:
            break  # another worker processes the rest
        if not worked:
            break
        total += worked
    return total


def _by_subject(
    runtime: Runtime, channel: ChannelRow, messages: Sequence[InboxRow]
) -> list[list[InboxRow]]:
    """Group deliveries: all hints for the same orders are answered by reading these once.

    Only deliveries that are stored already are grouped. A hint that arrives while its order is
    read is another delivery, so that the order is read again.
    """
    groups: dict[object, list[InboxRow]] = {}
    for message in messages:
        subject: object = message["id"]
        if message["source"] in inbox.HINTS:
            with suppress(Exception):  # it fails again when it is processed, alone
                alone = _receipts(runtime, channel, message) or _privacy_request(
                    runtime, channel, message
                )
                if not alone:
                    refs = _hinted(runtime, channel, message)
                    subject = tuple(sorted(refs)) or subject
        groups.setdefault(subject, []).append(message)
    return list(groups.values())


async def _process(
    runtime: Runtime, channel: ChannelRow, group: Sequence[InboxRow], batch: leases.Batch
) -> None:
    """Process one delivery, or several hints for the same orders, by one read."""
    names = [message["id"] for message in group]
    batch.begin(*names)
    first, *others = group
    read_at = _read_at(runtime, first)
    try:
        receipts = _receipts(runtime, channel, first)
        asked = _privacy_request(runtime, channel, first)
        async with leases.one_call():
            with rate_limit_wait(0, started=STARTED_WAIT_SECONDS):  # a lease is held
                content = (
                    DeliveryContent(receipts=receipts, privacy=asked)
                    if receipts or asked
                    else await _read(runtime, channel, group)
                )

        def accept(tx: Transaction) -> None:
            _accept(tx, runtime, channel, first, content, read_at)
            for other in others:
                _coalesced(tx, runtime, channel, other, content)

        await batch.settle(names, accept)
    except Exception as error:
        failed = await judged(runtime, channel, error)

        def fail(tx: Transaction) -> None:
            for message in group:
                _failed(tx, runtime, channel, message, failed)

        await batch.settle(names, fail)


def _read_at(runtime: Runtime, message: InboxRow) -> datetime:
    """Return when the channel stated what a delivery is about, or at the earliest states it.

    A hint, and a record that is read again, is answered by reading now; what was pulled says how
    things were when it was stored.
    """
    if message["source"] in inbox.HINTS or message["source"] == unreadable.SOURCE:
        return runtime.clock()
    return moment(message["received_at"])


def _receipts(runtime: Runtime, channel: ChannelRow, message: InboxRow) -> Sequence[NoticeReceipt]:
    if message["source"] not in inbox.HINTS:
        return ()
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, SendNotice):
        return ()
    return connector.receipts(message["topic"], bytes(message["body"]))


def _privacy_request(
    runtime: Runtime, channel: ChannelRow, message: InboxRow
) -> PrivacyRequest | None:
    connector: object = runtime.connections.of(channel)
    if message["source"] not in inbox.HINTS or not isinstance(connector, ReceivePrivacyRequests):
        return None
    return connector.privacy_request(message["topic"], bytes(message["body"]))


async def _read(
    runtime: Runtime, channel: ChannelRow, group: Sequence[InboxRow]
) -> DeliveryContent:
    message = group[0]
    body = bytes(message["body"])
    if message["source"] == unreadable.SOURCE:
        return await _read_again(runtime, channel, unreadable.KEPT.validate_json(body))
    if message["source"] not in inbox.HINTS:
        if message["topic"] == RETURN:
            return DeliveryContent(returns=[RETURNS.validate_json(body)])
        return DeliveryContent(orders=[ORDERS.validate_json(body)])
    connector: object = runtime.connections.of(channel)
    refs = _hinted(runtime, channel, message)
    if not refs:
        return DeliveryContent()
    if not isinstance(connector, PullOrders):
        raise TypeError(f"{channel['connector']} can not read an order back")
    return await _read_hinted(runtime, channel, connector, refs, group)


async def _read_hinted(
    runtime: Runtime,
    channel: ChannelRow,
    connector: PullOrders,
    refs: Sequence[str],
    group: Sequence[InboxRow],
) -> DeliveryContent:
    """Read the orders that hints name, and find which of them the channel has deleted."""
    gone = deletions.hinted(runtime, channel, group)
    found, deleted = DeliveryContent(), list[str]()
    for ref in refs:
        try:
            one = await _read_orders(channel, connector, [ref])
        except NotFound:
            if not await deletions.is_deleted(runtime, channel, ref, group, gone):
                raise
            deleted.append(ref)
        else:
            found = found.with_more(one)
    return replace(found, deleted=deleted)


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
        try:
            return await _read_orders(channel, connector, [record.ref])
        except NotFound:
            if not await deletions.passes_check(runtime, channel):
                raise
            return DeliveryContent(deleted=[record.ref])
    if record.kind == unreadable.RETURN and isinstance(connector, PullReturns):
        returns = await connector.pull_returns(kept.cursor or "")
        good, odd = unreadable.sort(returns.items, record.kind)
        return DeliveryContent(
            returns=good, unreadable=[*returns.unreadable, *odd], cursor=kept.cursor
        )
    if isinstance(connector, PullOrders):
        page = await connector.pull_orders(kept.cursor or "")
        good, odd = unreadable.sort(page.items, record.kind)
        return DeliveryContent(good, unreadable=[*page.unreadable, *odd], cursor=kept.cursor)
    raise TypeError(f"{channel['connector']} can not read a record back")


def _hinted(runtime: Runtime, channel: ChannelRow, message: InboxRow) -> Sequence[str]:
    """Return the references of the orders that a hint names; each once."""
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, ReceiveWebhooks | ReceiveQueue):
        raise TypeError(f"{channel['connector']} takes no webhooks and has no queue")
    hints = connector.read(message["topic"], bytes(message["body"]))
    return list(dict.fromkeys(hint.order_ref for hint in hints))


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
    read_at: datetime,
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
    for ref in content.deleted:
        orders.delete(tx, context, channel, ref)
    _settle_unreadable(tx, runtime, channel, message, content, read_at)
    if content.orders and content.returns:
        channel_returns.review_again(tx, context, channel, [each.ref for each in content.returns])
    # It may have been given up before, and replayed.
    cases.settle(tx, CaseKind.SYNC_FAILURE, message["delivery"], channel["id"], context.now)
    if content.privacy is not None:
        privacy.honour(tx, runtime, channel, message["delivery"], content.privacy)
        notices.discard(tx, message["id"])
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
    read_at: datetime,
) -> None:
    """Close the cases of what was read, then keep what could not be read, also not again."""
    read = {each.ref for each in content.orders} | set(content.deleted)
    read |= {f"{unreadable.RETURN} {each.order_ref}" for each in content.returns}
    if message["source"] == unreadable.SOURCE and message["subject"]:
        read.add(message["subject"])
    odd = {unreadable.subject_of(record) for record in content.unreadable}
    unreadable.settle(tx, runtime, channel, sorted(read - odd), read_at)
    unreadable.keep(tx, runtime, channel, content.unreadable, content.cursor)


def _coalesced(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    message: InboxRow,
    content: DeliveryContent,
) -> None:
    """Close a hint whose orders were read for another hint that arrived in the same batch."""
    now = runtime.clock()
    if inbox.done(tx, message, content.subject, now):
        cases.settle(tx, CaseKind.SYNC_FAILURE, message["delivery"], channel["id"], now)


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
