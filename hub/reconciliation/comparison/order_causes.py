"""Causes of differences of orders and shipments, each proved by the records that it lists.

The records: deliveries of the inbox, the cursor of the orders, what was sent to the channel, the
returns of the order, and the channel's own times. What they do not prove is unexplained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

import orjson

from hub.clock import micros, moment
from hub.orders import TOPIC, order_holds
from hub.reconciliation.kinds import Cause, Proof
from hub.storage.rows import ChannelRow, CursorRow, OrderRow, OutboxRow
from hub.storage.sql import Transaction
from hub.sync import channels, inbox, streams
from hub.sync.inbox_retention import Retention
from hub.vocabulary import Order

_DELIVERIES = (
    "SELECT id, delivery, source, topic, subject, state, last_error, received_at FROM inbox "
)
PROOFS_MAX = 3  # records of one sort that a difference lists, the newest first


@dataclass(frozen=True, slots=True)
class Known:
    """A cause, the sentence that explains it, and the records that prove it."""

    cause: Cause
    text: str
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How orders are compared.

    `at` is when the reading of the channel started. An unknown order is in flight for `grace`, and
    so is a shipment that was sent since then. `delivery` names the inbox id of a pulled order.
    """

    channel: ChannelRow
    at: datetime
    grace: timedelta
    delivery: Callable[[Order], str]


class Delivery(TypedDict):
    """A delivery of the inbox, without its body."""

    id: str
    delivery: str
    source: str
    topic: str
    subject: str | None
    state: str
    last_error: str | None
    received_at: int


class _Sending(TypedDict):
    subject: str


class _Refund(TypedDict):
    id: str
    ref: str
    order_id: str
    units: int
    remote_updated_at: int


class _Stream(TypedDict):
    failing_since: int
    last_error: str | None


@dataclass(slots=True)
class Records:
    """The records of a batch of orders that differ."""

    look: Look
    stream_name: str = streams.ORDERS
    deliveries: dict[str, list[Delivery]] = field(default_factory=dict)  # by subject and by id
    newest_hint: Delivery | None = None
    cursor: CursorRow | None = None
    stream: _Stream | None = None
    facts: dict[str, list[OutboxRow]] = field(default_factory=dict)  # by order id
    refunds: dict[str, list[_Refund]] = field(default_factory=dict)  # by order id

    def of_missing(self, remote: Order) -> Known:
        """Return why an order never reached the ledger."""
        return self.missed([remote.ref, self.look.delivery(remote)], remote.placed_at)

    def of_change(self, remote: Order, known: OrderRow) -> Known:
        """Return why a change of an order never reached the ledger."""
        before = moment(known["remote_updated_at"])
        stored = _proof_of_order(known)
        if remote.updated_at <= before:
            if known["remote_state"] == order_holds.DELETED:
                text = "It was gone from its channel, and is there again."
                return Known(Cause.UNEXPLAINED, text, (stored,))
            text = "The channel changed it without moving its time of change."
            return Known(Cause.UNEXPLAINED, text, (stored,))
        found = self.missed([remote.ref, self.look.delivery(remote)], remote.updated_at)
        refunds = [
            Proof(
                record="channel_return",
                id=each["id"],
                at=moment(each["remote_updated_at"]),
                text=f"return {each['ref']} took {each['units']} units off the order",
            )
            for each in self.refunds.get(known["id"], ())
            if each["remote_updated_at"] >= known["remote_updated_at"]
        ]
        return Known(found.cause, found.text, (*found.proofs, stored, *refunds[:PROOFS_MAX]))

    def of_shipments(self, known: OrderRow, here: int, there: int) -> Known:
        """Return why the channel states another number of fulfilled units than left here."""
        facts = self.facts.get(known["id"], [])
        dead = [each for each in facts if each["state"] == "dead"]
        sent = [each for each in facts if each["state"] == "sent"]
        taken = len({serial for each in sent for serial in _serials(each)})
        proofs = tuple(proof_of_fact(each) for each in [*dead, *sent][:PROOFS_MAX])
        if there > here:
            if taken >= there:
                text = f"It was informed of {taken} units, of which some were taken back here."
                return Known(Cause.CORRECTED_HERE, text, proofs)
            text = f"It was informed of {taken} units by the hub: somebody else stated the rest."
            return Known(Cause.FOREIGN_EDIT, text, proofs or (_proof_of_order(known),))
        if dead:
            text = f"It refused the shipment: {dead[0]['last_error']}"
            return Known(Cause.FAILED_PUSH, text, proofs)
        if taken > there:
            text = f"It took {taken} units, and {taken - there} of them are removed there."
            return Known(Cause.REMOVED_THERE, text, proofs)
        text = f"It was informed of {taken} units only."
        return Known(Cause.UNPUSHED_CHANGE, text, (*proofs, _proof_of_order(known)))

    def missed(self, keys: Sequence[str], since: datetime) -> Known:
        """Return why nothing was processed since a time; `keys` name deliveries and subjects."""
        channel = self.look.channel
        if since < moment(channel["created_at"]):
            text = "That was before the channel was connected."
            return Known(Cause.UNEXPLAINED, text, (_proof_of_channel(channel),))
        about = [each for key in keys for each in self.deliveries.get(key, ())]
        after = [each for each in about if each["received_at"] >= micros(since)]
        if after:
            return _processed(after)
        if self.look.at - since > Retention().rows:
            return Known(Cause.UNEXPLAINED, "Deliveries of that time are not kept any more.")
        if channels.can(channel, "receive_webhooks") or channels.can(channel, "receive_queue"):
            return self._lost_webhook()
        return self._not_pulled(since)

    def _lost_webhook(self) -> Known:
        hint = self.newest_hint
        if hint is None:
            text = "The channel is able to send webhooks, and none has ever come."
            return Known(Cause.LOST_WEBHOOK, text, (_proof_of_channel(self.look.channel),))
        return Known(
            Cause.LOST_WEBHOOK,
            "No webhook about it came, and others did.",
            (_proof_of_delivery(hint),),
        )

    def _not_pulled(self, since: datetime) -> Known:
        if self.stream is not None:
            at = moment(self.stream["failing_since"])
            error = self.stream["last_error"] or ""
            proof = Proof(record="channel_stream", id=self.stream_name, at=at, text=error)
            text = f"Its {self.stream_name} could not be pulled since {at:%Y-%m-%d %H:%M:%S} UTC."
            return Known(Cause.MISSED_ORDER, text, (proof,))
        if self.cursor is None:
            text = f"Its {self.stream_name} were never pulled."
            return Known(Cause.MISSED_ORDER, text, (_proof_of_channel(self.look.channel),))
        moved = moment(self.cursor["moved_at"])
        pulled = Proof(
            record="cursor",
            id=self.cursor["id"],
            at=moved,
            text=f"{self.stream_name} were pulled until {moved:%Y-%m-%d %H:%M:%S} UTC",
        )
        late = moved < since
        text = "Nothing was pulled since." if late else "It was not among what was pulled since."
        return Known(Cause.MISSED_ORDER, text, (pulled,))


def _processed(deliveries: Sequence[Delivery]) -> Known:
    """Return the cause of a difference in spite of deliveries about its order."""
    dead = [each for each in deliveries if each["state"] == "dead"]
    if dead:
        text = f"A delivery about it was given up: {dead[0]['last_error']}"
    else:
        text = "A delivery about it came, and did not bring this state."
    shown = (dead or list(deliveries))[:PROOFS_MAX]
    return Known(Cause.MISSED_ORDER, text, tuple(_proof_of_delivery(each) for each in shown))


def read(
    tx: Transaction, look: Look, remotes: Sequence[Order], known: Sequence[OrderRow]
) -> Records:
    """Read the records of a batch of orders that differ, with a fixed number of statements."""
    keys = [each.ref for each in remotes] + [look.delivery(each) for each in remotes]
    found = read_deliveries(tx, look, keys, streams.ORDERS)
    _read_sent(tx, found, [row["id"] for row in known])
    return found


def read_deliveries(tx: Transaction, look: Look, keys: Sequence[str], stream: str) -> Records:
    """Read the deliveries with some ids or subjects, and how a stream of the channel is read."""
    found, channel, asked = Records(look, stream), look.channel, set(keys)
    for row in tx.rows_as(
        Delivery,
        f"{_DELIVERIES}WHERE channel_id = :channel "
        "AND (subject IN (:keys...) OR delivery IN (:keys...)) ORDER BY received_at DESC",
        channel=channel["id"],
        keys=list(keys),
    ):
        key = row["subject"] if row["subject"] in asked else row["delivery"]
        found.deliveries.setdefault(key or "", []).append(row)
    found.newest_hint = tx.row_as(
        Delivery,
        f"{_DELIVERIES}WHERE channel_id = :channel AND source IN (:hints...) "
        "ORDER BY id DESC LIMIT 1",
        channel=channel["id"],
        hints=list(inbox.HINTS),
    )
    found.cursor = tx.row_as(
        CursorRow,
        "SELECT * FROM cursor WHERE channel_id = :channel AND stream = :stream",
        channel=channel["id"],
        stream=stream,
    )
    found.stream = tx.row_as(
        _Stream,
        "SELECT failing_since, last_error FROM channel_stream WHERE channel_id = :channel "
        "AND stream = :stream AND failing_since IS NOT NULL",
        channel=channel["id"],
        stream=stream,
    )
    return found


def _read_sent(tx: Transaction, found: Records, order_ids: Sequence[str]) -> None:
    """Read what was sent about orders, and what returns took off them."""
    found.facts = shipments_sent(tx, found.look.channel, order_ids)
    for row in tx.rows_as(
        _Refund,
        "SELECT channel_return.id, channel_return.ref, channel_return.order_id, "
        "channel_return.remote_updated_at, SUM(line.taken_off) AS units FROM channel_return "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "WHERE channel_return.order_id IN (:ids...) AND line.taken_off > 0 "
        "GROUP BY channel_return.id, channel_return.ref, channel_return.order_id, "
        "channel_return.remote_updated_at ORDER BY channel_return.id DESC",
        ids=list(order_ids),
    ):
        found.refunds.setdefault(row["order_id"], []).append(row)


def shipments_sent(
    tx: Transaction, channel: ChannelRow, order_ids: Sequence[str]
) -> dict[str, list[OutboxRow]]:
    """Return the messages about shipments of orders by order, the newest first."""
    found: dict[str, list[OutboxRow]] = {}
    for row in tx.rows_as(
        OutboxRow,
        "SELECT * FROM outbox WHERE channel_id = :channel AND topic = :topic "
        "AND subject IN (:ids...) ORDER BY seq DESC",
        channel=channel["id"],
        topic=TOPIC,
        ids=list(order_ids),
    ):
        found.setdefault(row["subject"], []).append(row)
    return found


def sending(tx: Transaction, look: Look, order_ids: Sequence[str]) -> set[str]:
    """Return the orders with a message that is queued, or was sent since the channel was read.

    What the channel showed before proves nothing; sending again would create a second shipment.
    """
    rows = tx.rows_as(
        _Sending,
        "SELECT DISTINCT subject FROM outbox WHERE channel_id = :channel AND subject IN (:ids...) "
        "AND (state IN ('waiting', 'leased') OR (state = 'sent' AND settled_at >= :since))",
        channel=look.channel["id"],
        ids=list(order_ids),
        since=micros(look.at - look.grace),
    )
    return {row["subject"] for row in rows}


def serials_sent(facts: Sequence[OutboxRow]) -> set[str]:
    """Return the serials that a channel took with shipments."""
    return {serial for each in facts if each["state"] == "sent" for serial in _serials(each)}


def _serials(fact: OutboxRow) -> list[str]:
    lines: Mapping[str, Sequence[str]] = orjson.loads(fact["payload"])["lines"]
    return [serial for named in lines.values() for serial in named]


def last_seen(tx: Transaction, channel: ChannelRow, orders: Sequence[OrderRow]) -> dict[str, Proof]:
    """Return by order the record that its channel had it: a delivery, or what is stored."""
    rows = tx.rows_as(
        Delivery,
        f"{_DELIVERIES}WHERE id IN (SELECT MAX(id) FROM inbox WHERE channel_id = :channel "
        "AND subject IN (:refs...) GROUP BY subject)",
        channel=channel["id"],
        refs=[order["ref"] for order in orders],
    )
    newest = {row["subject"]: _proof_of_delivery(row) for row in rows}
    return {order["id"]: newest.get(order["ref"], _proof_of_order(order)) for order in orders}


def _proof_of_delivery(row: Delivery) -> Proof:
    error = f": {row['last_error']}" if row["state"] == "dead" else ""
    return Proof(
        record="inbox",
        id=row["id"],
        at=moment(row["received_at"]),
        text=f"{row['source']} {row['topic']} of {row['subject'] or 'no order'}, "
        f"{row['state']}{error}",
    )


def proof_of_fact(row: OutboxRow) -> Proof:
    """Return a message to a channel as a proof of what it took or refused."""
    units = len(_serials(row)) if row["topic"] == TOPIC else 1
    answer = row["last_error"] if row["state"] == "dead" else row["answer"]
    return Proof(
        record="outbox",
        id=row["id"],
        at=moment(row["settled_at"] or row["created_at"]),
        text=f"{row['topic']} of {units} units, {row['state']}: {answer or ''}",
    )


def _proof_of_order(row: OrderRow) -> Proof:
    return Proof(
        record="sales_order",
        id=row["id"],
        at=moment(row["remote_updated_at"]),
        text=f"order {row['number']} as the channel stated it: {row['remote_state']}",
    )


def _proof_of_channel(row: ChannelRow) -> Proof:
    at = moment(row["created_at"])
    return Proof(record="channel", id=row["id"], at=at, text=f"{row['name']} was connected")
