"""Buyers of channels: their pseudonyms in recalls, and how a recall reaches them.

A channel numbers its customers itself, so two channels may use one number for two people. Where a
channel can reach its buyers, a recall knows them by the channel's code and its reference; a guest
is known by the order. Whoever is kept under the plain reference already stays known by it.

A contact is read from the channel only when a recall needs it, and is kept as that of any person:
sealed, apart from orders, erasable. A channel that hides its buyers may carry the message itself.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypedDict

from hub.recalls.rows import NotifiedRecall
from hub.storage.documents import values
from hub.storage.rows import NoticeRow
from hub.storage.sql import Transaction
from hub.sync.outbox import Fact

CONTACT = "contact"  # the topic of a fact by which a channel is asked how to reach a buyer
READS, CARRIES = "read_contacts", "message_buyers"
GUEST = "order "
REF_CHARS_MAX = 200


class SoldUnit(TypedDict):
    """The sale of a unit that a recall caught."""

    channel_id: str
    customer_ref: str | None
    order_ref: str


class BuyerOfNotice(TypedDict):
    """The newest order of a buyer under a recall, and what its channel can do."""

    customer_ref: str
    channel_id: str
    capabilities: str
    order_ref: str
    erased_at: int | None


class _Channel(TypedDict):
    id: str
    code: str
    capabilities: str


class _Ref(TypedDict):
    ref: str


def pseudonyms(tx: Transaction, sales: Sequence[SoldUnit]) -> list[str | None]:
    """Return by which reference a recall knows the buyer of each sale, in their order."""
    rows = tx.rows_as(
        _Channel,
        "SELECT id, code, capabilities FROM channel WHERE id IN (:ids...)",
        ids=sorted({sale["channel_id"] for sale in sales}),
    )
    reaching = {row["id"]: row["code"] for row in rows if _reaches(row["capabilities"])}
    plain = {sale["customer_ref"] for sale in sales if sale["customer_ref"]}
    kept = tx.rows_as(_Ref, "SELECT ref FROM person WHERE ref IN (:refs...)", refs=sorted(plain))
    known = {row["ref"] for row in kept}
    found: list[str | None] = []
    for sale in sales:
        code, ref = reaching.get(sale["channel_id"]), sale["customer_ref"]
        if code is None or ref in known:
            found.append(ref)
        else:
            found.append(qualified(code, ref or f"{GUEST}{sale['order_ref']}"))
    return found


def qualified(code: str, ref: str) -> str:
    """Return the reference of a buyer with the code of the channel; a long one is shortened."""
    full = f"{code}:{ref}"
    if len(full) <= REF_CHARS_MAX:
        return full
    return f"{code}:{hashlib.sha256(ref.encode()).hexdigest()}"


def _reaches(capabilities: str) -> bool:
    return bool({READS, CARRIES} & set(values(capabilities)))


def ask(
    tx: Transaction, recall: NotifiedRecall, rows: Sequence[NoticeRow], topic: str, key: str
) -> tuple[dict[str, str], list[Fact]]:
    """Return how notices go out over the channels that sold: the carrying channels, and the facts.

    The result maps the id of each notice to the channel that carries it; the notices that are in
    none of the two, nobody can reach. `topic` and `key` are those of a notice.
    """
    carried, facts = dict[str, str](), list[Fact]()
    by_ref = {row["customer_ref"]: row for row in rows}
    for buyer in _buyers(tx, recall["id"], list(by_ref)):
        if buyer["erased_at"] is not None:
            continue
        notice, able = by_ref[buyer["customer_ref"]], values(buyer["capabilities"])
        if CARRIES in able:
            carried[notice["id"]] = buyer["channel_id"]
            facts.append(_fact(buyer, notice, topic, key, {"notice": notice["id"]}))
        elif READS in able:
            what = {"notice": notice["id"], "order_ref": buyer["order_ref"]}
            facts.append(_fact(buyer, notice, CONTACT, key, what))
    return carried, facts


def _fact(
    buyer: BuyerOfNotice, notice: NoticeRow, topic: str, key: str, payload: dict[str, str]
) -> Fact:
    return Fact(
        channel_id=buyer["channel_id"],
        topic=topic,
        subject=notice["id"],
        key=f"{topic}:{notice['id']}:{key}",
        payload=payload,
    )


def order_of(tx: Transaction, recall_id: str, ref: str) -> str | None:
    """Return the channel's reference of the newest order of a buyer under a recall."""
    found = _buyers(tx, recall_id, [ref])
    return found[0]["order_ref"] if found else None


def _buyers(tx: Transaction, recall_id: str, refs: Iterable[str]) -> list[BuyerOfNotice]:
    return tx.rows_as(
        BuyerOfNotice,
        "SELECT recall_unit.customer_ref, recall_unit.channel_id, channel.capabilities, "
        "sales_order.ref AS order_ref, person.erased_at FROM recall_unit "
        "JOIN channel ON channel.id = recall_unit.channel_id "
        "JOIN sales_order ON sales_order.id = recall_unit.order_id "
        "LEFT JOIN person ON person.ref = recall_unit.customer_ref "
        "WHERE recall_unit.id IN (SELECT MAX(id) FROM recall_unit WHERE recall_id = :recall "
        "AND customer_ref IN (:refs...) GROUP BY customer_ref) ORDER BY recall_unit.id",
        recall=recall_id,
        refs=list(refs),
    )


def refs_of(tx: Transaction, ref: str) -> list[str]:
    """Return every reference under which a customer of any channel may be known in recalls."""
    codes = tx.rows_as(_Ref, "SELECT code AS ref FROM channel ORDER BY code")
    return [ref, *(qualified(row["ref"], ref) for row in codes)]
