"""Notices: one message to each customer of a recall, through a messaging channel.

The queue holds the id of a notice and nothing about the person; the contact is unsealed when the
message is sent. Receipts report the outcome, in any order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub import cases
from hub.availability.rows import ChannelLike
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.recalls import buyers
from hub.recalls.rows import (
    CarriedDraft,
    CustomerRef,
    NamedUnit,
    NoticeDraft,
    NoticeOfRecall,
    NoticeStatus,
    NotifiedRecall,
    PersonRef,
)
from hub.storage.rows import NoticeRow
from hub.storage.sql import Row, Transaction
from hub.sync import channels, outbox
from hub.sync.channels import can
from hub.sync.outbox import Fact
from hub.vocabulary import BuyerMessage, NoticeReceipt

TOPIC = "notice"
TOPICS = (TOPIC, buyers.CONTACT)
SERIALS_SHOWN_MAX = 20
DETAIL_CHARS_MAX = 200


class NoticeState(StrEnum):
    """State of a message to a customer."""

    UNREACHABLE = "unreachable"  # no contact is known
    WAITING = "waiting"
    FAILED = "failed"
    SENT = "sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"  # the customer read it and confirmed


# Of two receipts with the same time the one with the higher rank counts.
RANK = {state: rank for rank, state in enumerate(NoticeState)}


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to send; `sealed` is the contact of the person, sealed by the vault."""

    reference: str
    sealed: str
    subject: str
    text: str


def tell_customers(
    tx: Transaction, context: CommandContext, recall: NotifiedRecall | Row, channel: ChannelLike
) -> None:
    """Notify every customer of a recall once, now and when more customers are found.

    Customers already notified are skipped; failed notifications are retried. Buyers of channels
    whose contact is not kept are reached through the channel that sold (see `buyers`). Raises
    InvalidInput for a channel that sends no messages.
    """
    if not (can(channel, "send_notice") or can(channel, buyers.CARRIES)):
        raise InvalidInput(f"{channel['code']} carries no messages", field="channel")
    tx.run(
        "UPDATE recall SET channel_id = :channel WHERE id = :id",
        channel=channel["id"],
        id=recall["id"],
    )
    rows = tx.rows_as(
        CustomerRef,
        "SELECT DISTINCT customer_ref FROM recall_unit WHERE recall_id = :recall "
        "AND customer_ref IS NOT NULL ORDER BY customer_ref",
        recall=recall["id"],
    )
    notified: NotifiedRecall = {
        "id": recall["id"],
        "ref": recall["ref"],
        "channel_id": channel["id"],
    }
    announce(tx, context, notified, [row["customer_ref"] for row in rows])
    _report_unnamed(tx, context, notified)


def announce(
    tx: Transaction, context: CommandContext, recall: NotifiedRecall, refs: Iterable[str]
) -> None:
    """Queue notices through the recall's channel for customers who were not notified yet."""
    wanted = sorted(set(refs))
    if recall["channel_id"] is None or not wanted:
        return
    now = micros(context.now)
    tx.run_many(
        "INSERT INTO notice(id, recall_id, customer_ref, channel_id, state, created_at) "
        "VALUES(:id, :recall, :ref, :channel, :state, :now) "
        "ON CONFLICT(recall_id, customer_ref) DO NOTHING",
        [
            {
                "id": new_id(),
                "recall": recall["id"],
                "ref": ref,
                "channel": recall["channel_id"],
                "state": str(NoticeState.UNREACHABLE),
                "now": now,
            }
            for ref in wanted
        ],
    )
    rows = tx.rows_as(
        NoticeRow,
        "SELECT * FROM notice WHERE recall_id = :recall AND customer_ref IN (:refs...) "
        "AND state IN (:states...) ORDER BY id FOR UPDATE",
        recall=recall["id"],
        refs=wanted,
        states=[str(NoticeState.UNREACHABLE), str(NoticeState.FAILED)],
    )
    known: set[str] = set()
    if can(channels.by_id(tx, recall["channel_id"]), "send_notice"):
        known = _reachable(tx, [row["customer_ref"] for row in rows])
    _queue(
        tx,
        context,
        recall["channel_id"],
        [row for row in rows if row["customer_ref"] in known],
    )
    others = [row for row in rows if row["customer_ref"] not in known]
    reached = _over_their_channels(tx, context, recall, others)
    for row in others:
        if row["id"] not in reached:
            unreachable(tx, recall["ref"], row["customer_ref"], "there is no contact", context.now)


def _over_their_channels(
    tx: Transaction, context: CommandContext, recall: NotifiedRecall, rows: Sequence[NoticeRow]
) -> set[str]:
    """Ask the channels that sold to carry notices, or for contacts; return the notices' ids."""
    carried, facts = buyers.ask(tx, recall, rows, TOPIC, new_id())
    asked = {fact.subject for fact in facts}
    for row in rows:
        if row["id"] in asked:
            carrier = carried.get(row["id"], recall["channel_id"])
            assert carrier is not None  # the recall has a channel by now
            _wait(tx, carrier, [row])
    outbox.put(tx, facts, context.now)
    return asked


def asked_contact(tx: Transaction, notice_id: str) -> NoticeOfRecall | None:
    """Take a notice that waits for a contact out of waiting; None if it does no longer."""
    row = _with_recall(tx, "notice.id = :id", id=notice_id)
    if row is None or row["state"] != NoticeState.WAITING or row["erased_at"] is not None:
        return None  # erased, or notified meanwhile
    tx.run("UPDATE notice SET state = 'unreachable' WHERE id = :id", id=notice_id)
    return row


def reached_again(tx: Transaction, context: CommandContext, ref: str) -> None:
    """Queue the failed notices of a person again, after the contact changed."""
    rows = tx.rows_as(
        NoticeRow,
        "SELECT notice.* FROM notice JOIN recall ON recall.id = notice.recall_id "
        "WHERE notice.customer_ref = :ref AND notice.state IN (:states...) "
        "AND recall.state = 'open' ORDER BY notice.id FOR UPDATE OF notice",
        ref=ref,
        states=[str(NoticeState.UNREACHABLE), str(NoticeState.FAILED)],
    )
    for row in rows:
        assert row["channel_id"] is not None  # a notice is created with its recall's channel
        _queue(tx, context, row["channel_id"], [row])


def message(tx: Transaction, notice_id: str) -> Draft | None:
    """Return the message of a notice; None if it is no longer to be sent."""
    row = tx.row_as(
        NoticeDraft,
        "SELECT notice.recall_id, notice.customer_ref, recall.ref, recall.title, "
        "recall.instructions, person.contact, person.changed_at FROM notice "
        "JOIN recall ON recall.id = notice.recall_id "
        "JOIN person ON person.ref = notice.customer_ref "
        "WHERE notice.id = :id AND notice.state = 'waiting' AND person.contact IS NOT NULL",
        id=notice_id,
    )
    if row is None:
        return None
    return Draft(
        # A changed contact makes a new message.
        reference=f"{notice_id}-{row['changed_at']}",
        sealed=row["contact"],
        subject=f"{row['ref']}: {row['title']}",
        text=_text(tx, row),
    )


def carried_message(tx: Transaction, notice_id: str) -> BuyerMessage | None:
    """Return the message of a notice that the channel carries that sold; None as in `message`."""
    row = tx.row_as(
        CarriedDraft,
        "SELECT notice.recall_id, notice.customer_ref, recall.ref, recall.title, "
        "recall.instructions, person.erased_at FROM notice "
        "JOIN recall ON recall.id = notice.recall_id "
        "LEFT JOIN person ON person.ref = notice.customer_ref "
        "WHERE notice.id = :id AND notice.state = 'waiting'",
        id=notice_id,
    )
    if row is None or row["erased_at"] is not None:
        return None
    order_ref = buyers.order_of(tx, row["recall_id"], row["customer_ref"])
    if order_ref is None:
        return None
    return BuyerMessage(
        reference=notice_id,
        order_ref=order_ref,
        subject=f"{row['ref']}: {row['title']}",
        text=_text(tx, row),
    )


def _text(tx: Transaction, row: NoticeDraft | CarriedDraft) -> str:
    units = tx.rows_as(
        NamedUnit,
        "SELECT unit.serial, product.name FROM recall_unit "
        "JOIN unit ON unit.id = recall_unit.unit_id JOIN product ON product.id = unit.product_id "
        "WHERE recall_unit.recall_id = :recall AND recall_unit.customer_ref = :ref "
        "ORDER BY recall_unit.id LIMIT :limit",
        recall=row["recall_id"],
        ref=row["customer_ref"],
        limit=SERIALS_SHOWN_MAX + 1,
    )
    lines = [f"- {unit['name']}, {unit['serial']}" for unit in units[:SERIALS_SHOWN_MAX]]
    more = ["- …"] if len(units) > SERIALS_SHOWN_MAX else []
    return "\n".join([row["instructions"] or row["title"], *lines, *more])


def sent(tx: Transaction, notice_id: str, remote: str, now: datetime) -> None:
    """Record that the channel accepted a message, with the channel's id of it."""
    tx.run(
        "UPDATE notice SET state = 'sent', remote_ref = :remote, sent_at = :now "
        "WHERE id = :id AND state = 'waiting'",
        remote=remote[:200],
        now=micros(now),
        id=notice_id,
    )


def failed(tx: Transaction, notice_id: str, now: datetime) -> None:
    """Record that a message could not be sent, and open a case."""
    row = _with_recall(tx, "notice.id = :id", id=notice_id)
    if row is not None and row["state"] == NoticeState.WAITING:
        tx.run("UPDATE notice SET state = 'failed' WHERE id = :id", id=notice_id)
        unreachable(tx, row["ref"], row["customer_ref"], "it could not be sent", now)


def receive(
    tx: Transaction, channel_id: str, receipts: Sequence[NoticeReceipt], now: datetime
) -> list[NoticeReceipt]:
    """Store receipts of messages; return the receipts of messages that are not known (yet).

    A receipt that is older than the stored one changes nothing, and a confirmation is final.
    """
    unknown = []
    for receipt in receipts:
        row = _with_recall(
            tx,
            "notice.channel_id = :channel AND notice.remote_ref = :remote",
            channel=channel_id,
            remote=receipt.message,
        )
        if row is None:
            unknown.append(receipt)
            continue
        _apply(tx, row, receipt, now)
    return unknown


def _apply(tx: Transaction, row: NoticeOfRecall, receipt: NoticeReceipt, now: datetime) -> None:
    state, at = NoticeState(str(receipt.outcome)), micros(receipt.at)
    present = NoticeState(row["state"])
    newer = (at, RANK[state]) > (row["told_at"] or 0, RANK[present])
    delivered = row["delivered_at"]
    if state in {NoticeState.DELIVERED, NoticeState.ANSWERED}:
        delivered = at if delivered is None else min(delivered, at)
    if present is not NoticeState.ANSWERED and (newer or state is NoticeState.ANSWERED):
        # No details are stored of an erased person.
        detail = None if row["erased_at"] else receipt.detail[:DETAIL_CHARS_MAX] or None
        tx.run(
            "UPDATE notice SET state = :state, told_at = :at, detail = :detail WHERE id = :id",
            state=str(state),
            at=at,
            detail=detail,
            id=row["id"],
        )
        present = state
    tx.run(
        "UPDATE notice SET delivered_at = :delivered WHERE id = :id",
        delivered=delivered,
        id=row["id"],
    )
    if present is NoticeState.FAILED:
        unreachable(tx, row["ref"], row["customer_ref"], "it did not arrive", now)
    elif present in {NoticeState.DELIVERED, NoticeState.ANSWERED}:
        subject = _subject(row["ref"], row["customer_ref"])
        cases.settle(tx, CaseKind.UNREACHABLE_CUSTOMER, subject, None, now)


def discard(tx: Transaction, delivery_id: str) -> None:
    """Empty a processed webhook: it may contain personal data."""
    tx.run("UPDATE inbox SET body = :nothing WHERE id = :id", nothing=b"", id=delivery_id)


def forget(tx: Transaction, ref: str) -> None:
    """Delete the personal data in notices, and cancel waiting ones."""
    rows = tx.rows_as(
        NoticeStatus,
        "SELECT id, channel_id, state FROM notice WHERE customer_ref = :ref ORDER BY id FOR UPDATE",
        ref=ref,
    )
    waiting = [row["id"] for row in rows if row["state"] == NoticeState.WAITING]
    tx.run(
        "UPDATE notice SET detail = NULL, "
        "state = CASE WHEN state = 'waiting' THEN 'unreachable' ELSE state END "
        "WHERE customer_ref = :ref",
        ref=ref,
    )
    tx.run(
        "UPDATE outbox SET last_error = NULL WHERE topic IN (:topics...) AND subject IN (:ids...)",
        topics=list(TOPICS),
        ids=[row["id"] for row in rows],
    )
    if waiting:
        tx.run(
            "DELETE FROM outbox WHERE topic IN (:topics...) AND subject IN (:ids...) "
            "AND state = 'waiting'",
            topics=list(TOPICS),
            ids=waiting,
        )


def unreachable(tx: Transaction, recall_ref: str, ref: str, why: str, now: datetime) -> None:
    """Open a case for a customer whose notice does not arrive."""
    finding = Finding(
        kind=CaseKind.UNREACHABLE_CUSTOMER,
        subject=_subject(recall_ref, ref),
        severity=Severity.HIGH,
        summary=f"Customer {ref} could not be notified of recall {recall_ref}: {why}.",
        details={"recall": recall_ref, "customer": ref},
    )
    cases.report(tx, finding, now)


def _reachable(tx: Transaction, refs: Sequence[str]) -> set[str]:
    """Return the persons with a contact."""
    rows = tx.rows_as(
        PersonRef,
        "SELECT ref FROM person WHERE ref IN (:refs...) AND contact IS NOT NULL",
        refs=list(refs),
    )
    return {row["ref"] for row in rows}


def _subject(recall_ref: str, ref: str) -> str:
    return f"{recall_ref}/{ref}"


def _report_unnamed(tx: Transaction, context: CommandContext, recall: NotifiedRecall) -> None:
    """Open a case for units that were sold to unnamed customers."""
    count = tx.value(
        "SELECT COUNT(*) FROM recall_unit WHERE recall_id = :recall AND customer_ref IS NULL "
        "AND status_when_caught IN ('shipped', 'sold') AND resolution IS NULL",
        recall=recall["id"],
    )
    if count:
        finding = Finding(
            kind=CaseKind.UNREACHABLE_CUSTOMER,
            subject=_subject(recall["ref"], "-"),
            severity=Severity.HIGH,
            summary=f"{count} units of recall {recall['ref']} were sold to unnamed customers.",
            details={"recall": recall["ref"], "units": count},
        )
        cases.report(tx, finding, context.now)


def _queue(
    tx: Transaction, context: CommandContext, channel_id: str, rows: Sequence[NoticeRow]
) -> None:
    if not rows:
        return
    _wait(tx, channel_id, rows)
    facts = [
        Fact(
            channel_id=channel_id,
            topic=TOPIC,
            subject=row["id"],
            key=f"{TOPIC}:{row['id']}:{new_id()}",
            payload={"notice": row["id"]},
        )
        for row in rows
    ]
    outbox.put(tx, facts, context.now)


def _wait(tx: Transaction, channel_id: str, rows: Sequence[NoticeRow]) -> None:
    tx.run(
        "UPDATE notice SET state = 'waiting', channel_id = :channel, remote_ref = NULL, "
        "detail = NULL, told_at = NULL WHERE id IN (:ids...)",
        channel=channel_id,
        ids=[row["id"] for row in rows],
    )


def _with_recall(tx: Transaction, condition: str, **values: str) -> NoticeOfRecall | None:
    return tx.row_as(
        NoticeOfRecall,
        "SELECT notice.*, recall.ref, person.erased_at FROM notice "
        "JOIN recall ON recall.id = notice.recall_id "
        "LEFT JOIN person ON person.ref = notice.customer_ref "
        f"WHERE {condition} FOR UPDATE OF notice",
        **values,
    )
