"""Notices: one message to each customer of a recall, through a channel that carries messages.

The queue holds the id of a notice and nothing about the person; how to reach him is opened when
the message is sent. What became of it comes back by receipts, in any order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.storage.sql import Row, Transaction
from hub.sync import outbox
from hub.sync.channels import can
from hub.sync.outbox import Fact
from hub.vocabulary import NoticeReceipt

TOPIC = "notice"
SERIALS_SHOWN_MAX = 20
DETAIL_CHARS_MAX = 200


class NoticeState(StrEnum):
    """How far a message to a customer got."""

    UNREACHABLE = "unreachable"  # nobody knows how to reach him
    WAITING = "waiting"
    FAILED = "failed"
    SENT = "sent"
    DELIVERED = "delivered"
    ANSWERED = "answered"  # he read it and confirmed


# Of two receipts of one moment the one that says more counts.
RANK = {state: rank for rank, state in enumerate(NoticeState)}


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as it is sent; `sealed` is how to reach the person, for the vault to open."""

    reference: str
    sealed: str
    subject: str
    text: str


def tell_customers(tx: Transaction, context: CommandContext, recall: Row, channel: Row) -> None:
    """Tell every customer of a recall once, now and when more are found.

    Those who were told are left alone; where it failed it is tried anew. Raises InvalidInput for a
    channel that carries no messages.
    """
    if not can(channel, "send_notice"):
        raise InvalidInput(f"{channel['code']} carries no messages", field="channel")
    tx.run(
        "UPDATE recall SET channel_id = :channel WHERE id = :id",
        channel=channel["id"],
        id=recall["id"],
    )
    rows = tx.rows(
        "SELECT DISTINCT customer_ref FROM recall_unit WHERE recall_id = :recall "
        "AND customer_ref IS NOT NULL ORDER BY customer_ref",
        recall=recall["id"],
    )
    announce(
        tx, context, {**recall, "channel_id": channel["id"]}, [row["customer_ref"] for row in rows]
    )
    _nameless(tx, context, recall)


def announce(tx: Transaction, context: CommandContext, recall: Row, refs: Iterable[str]) -> None:
    """Have customers told by the recall's channel, those that were not told yet."""
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
    rows = tx.rows(
        "SELECT * FROM notice WHERE recall_id = :recall AND customer_ref IN (:refs...) "
        "AND state IN (:states...) ORDER BY id FOR UPDATE",
        recall=recall["id"],
        refs=wanted,
        states=[str(NoticeState.UNREACHABLE), str(NoticeState.FAILED)],
    )
    known = _reachable(tx, [row["customer_ref"] for row in rows])
    _queue(
        tx,
        context,
        recall["channel_id"],
        [row for row in rows if row["customer_ref"] in known],
    )
    for row in rows:
        if row["customer_ref"] not in known:
            unreachable(tx, recall["ref"], row["customer_ref"], "there is no contact", context.now)


def reached_again(tx: Transaction, context: CommandContext, ref: str) -> None:
    """Have a person told who could not be reached before, now that we know how."""
    rows = tx.rows(
        "SELECT notice.* FROM notice JOIN recall ON recall.id = notice.recall_id "
        "WHERE notice.customer_ref = :ref AND notice.state IN (:states...) "
        "AND recall.state = 'open' ORDER BY notice.id FOR UPDATE OF notice",
        ref=ref,
        states=[str(NoticeState.UNREACHABLE), str(NoticeState.FAILED)],
    )
    for row in rows:
        _queue(tx, context, row["channel_id"], [row])


def message(tx: Transaction, notice_id: str) -> Draft | None:
    """Write the message of a notice; None where there is nothing to send any more."""
    row = tx.row(
        "SELECT notice.recall_id, notice.customer_ref, recall.ref, recall.title, "
        "recall.instructions, person.contact, person.changed_at FROM notice "
        "JOIN recall ON recall.id = notice.recall_id "
        "JOIN person ON person.ref = notice.customer_ref "
        "WHERE notice.id = :id AND notice.state = 'waiting' AND person.contact IS NOT NULL",
        id=notice_id,
    )
    if row is None:
        return None
    units = tx.rows(
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
    return Draft(
        # Another address is another message; the same one again is the same.
        reference=f"{notice_id}-{row['changed_at']}",
        sealed=row["contact"],
        subject=f"{row['ref']}: {row['title']}",
        text="\n".join([row["instructions"] or row["title"], *lines, *more]),
    )


def sent(tx: Transaction, notice_id: str, remote: str, now: datetime) -> None:
    """Note that the channel took a message, and by which id it knows it."""
    tx.run(
        "UPDATE notice SET state = 'sent', remote_ref = :remote, sent_at = :now "
        "WHERE id = :id AND state = 'waiting'",
        remote=remote[:200],
        now=micros(now),
        id=notice_id,
    )


def failed(tx: Transaction, notice_id: str, now: datetime) -> None:
    """Note that a message was given up before the channel took it, and open a case."""
    row = _with_recall(tx, "notice.id = :id", id=notice_id)
    if row is not None and row["state"] == NoticeState.WAITING:
        tx.run("UPDATE notice SET state = 'failed' WHERE id = :id", id=notice_id)
        unreachable(tx, row["ref"], row["customer_ref"], "it could not be sent", now)


def receive(
    tx: Transaction, channel_id: str, receipts: Sequence[NoticeReceipt], now: datetime
) -> list[NoticeReceipt]:
    """Note what became of messages; return the receipts of messages that nobody knows (yet).

    An older receipt than the one known changes nothing, and a confirmation stays one.
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


def _apply(tx: Transaction, row: Row, receipt: NoticeReceipt, now: datetime) -> None:
    state, at = NoticeState(str(receipt.outcome)), micros(receipt.at)
    present = NoticeState(row["state"])
    newer = (at, RANK[state]) > (row["told_at"] or 0, RANK[present])
    delivered = row["delivered_at"]
    if state in {NoticeState.DELIVERED, NoticeState.ANSWERED}:
        delivered = at if delivered is None else min(delivered, at)
    if present is not NoticeState.ANSWERED and (newer or state is NoticeState.ANSWERED):
        # Of a person who was erased nothing new is kept.
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
    """Empty a stored webhook that was worked in: it may hold what a person wrote."""
    tx.run("UPDATE inbox SET body = :nothing WHERE id = :id", nothing=b"", id=delivery_id)


def forget(tx: Transaction, ref: str) -> None:
    """Remove what notices keep about a person; what waits to be sent is not sent."""
    rows = tx.rows(
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
        "UPDATE outbox SET last_error = NULL WHERE topic = :topic AND subject IN (:ids...)",
        topic=TOPIC,
        ids=[row["id"] for row in rows],
    )
    if waiting:
        tx.run(
            "DELETE FROM outbox WHERE topic = :topic AND subject IN (:ids...) "
            "AND state = 'waiting'",
            topic=TOPIC,
            ids=waiting,
        )


def unreachable(tx: Transaction, recall_ref: str, ref: str, why: str, now: datetime) -> None:
    """Open a case for a customer whom a recall does not reach."""
    finding = Finding(
        kind=CaseKind.UNREACHABLE_CUSTOMER,
        subject=_subject(recall_ref, ref),
        severity=Severity.HIGH,
        summary=f"Customer {ref} could not be told of recall {recall_ref}: {why}.",
        details={"recall": recall_ref, "customer": ref},
    )
    cases.report(tx, finding, now)


def _reachable(tx: Transaction, refs: Sequence[str]) -> set[str]:
    """Return those of whom we know how to reach them."""
    rows = tx.rows(
        "SELECT ref FROM person WHERE ref IN (:refs...) AND contact IS NOT NULL", refs=list(refs)
    )
    return {row["ref"] for row in rows}


def _subject(recall_ref: str, ref: str) -> str:
    return f"{recall_ref}/{ref}"


def _nameless(tx: Transaction, context: CommandContext, recall: Row) -> None:
    """Open a case for units that were sold to nobody knows whom."""
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


def _queue(tx: Transaction, context: CommandContext, channel_id: str, rows: Sequence[Row]) -> None:
    if not rows:
        return
    tx.run(
        "UPDATE notice SET state = 'waiting', channel_id = :channel, remote_ref = NULL, "
        "detail = NULL, told_at = NULL WHERE id IN (:ids...)",
        channel=channel_id,
        ids=[row["id"] for row in rows],
    )
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


def _with_recall(tx: Transaction, condition: str, **values: str) -> Row | None:
    return tx.row(
        "SELECT notice.*, recall.ref, person.erased_at FROM notice "
        "JOIN recall ON recall.id = notice.recall_id "
        "LEFT JOIN person ON person.ref = notice.customer_ref "
        f"WHERE {condition} FOR UPDATE OF notice",
        **values,
    )
