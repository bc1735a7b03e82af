"""Mappings between a channel's terms and ours, as data that people change.

A connector knows the terms that its channel documents. A shop adds its own: a state "awaiting
collection", a carrier by another name. They are mapped per channel, for everything that is read or
sent from then on; reconciliation corrects orders that were read before.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypedDict

import orjson

from hub.availability.rows import ChannelLike
from hub.errors import InvalidInput
from hub.storage.documents import document
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import (
    HoldReason,
    LineKind,
    Order,
    OrderLine,
    OrderState,
    Return,
    ReturnState,
)

MAPPINGS_MAX = 200  # of one kind, for one channel
CHARS_MAX = 100
LOOKED_AT_MAX = 10_000  # the latest orders or returns
SHIPMENTS_MAX = 1_000  # the latest ones
# How a mapping names a word that is not for the order itself.
PAYMENT, SHIPMENT = "payment: ", "shipment: "


class MappingKind(StrEnum):
    """Subject of a mapping: states map from the channel's term, carriers from ours.

    The kind of an order line maps from its SKU, or from its title where it has none.
    """

    ORDER_STATE = "order_state"
    RETURN_STATE = "return_state"
    CARRIER = "carrier"
    LINE_KIND = "line_kind"


MEANINGS: dict[MappingKind, type[StrEnum]] = {
    MappingKind.ORDER_STATE: OrderState,
    MappingKind.RETURN_STATE: ReturnState,
    MappingKind.LINE_KIND: LineKind,
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """One term, and the one that replaces it."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Word:
    """A term that a channel used, its replacement, and the number of recent uses."""

    source: str
    target: str
    times: int
    mapped: bool


class _SeenState(TypedDict):
    remote_state: str
    state: str
    times: int


class _SeenOrderState(_SeenState):
    payment_state: str
    shipment_state: str


class _SeenLine(TypedDict):
    sku: str
    title: str
    kind: str


class _Payload(TypedDict):
    payload: str


def put(tx: Transaction, code: str, kind: MappingKind, mappings: Iterable[Mapping]) -> None:
    """Replace all mappings of one kind of a channel.

    Raises UnknownReference for an unknown channel, InvalidInput for a term that is empty, too long
    or given twice, and for a state that is none of ours.
    """
    channels.get(tx, code)
    channel = tx.row_as(
        ChannelRow, "SELECT * FROM channel WHERE code = :code FOR UPDATE", code=code
    )
    assert channel is not None  # channels are never deleted
    named = [Mapping(each.source.strip(), each.target.strip()) for each in mappings]
    if len(named) > MAPPINGS_MAX:
        raise InvalidInput(f"at most {MAPPINGS_MAX} mappings", field="mappings")
    if len({_key(each.source) for each in named}) != len(named):
        raise InvalidInput("each term at most once", field="mappings")
    given = [Mapping(each.source, _meaning(kind, each)) for each in named]
    everything = _all(channel) | {
        str(kind): [{"source": each.source, "target": each.target} for each in given]
    }
    tx.run(
        "UPDATE channel SET mappings = :mappings WHERE id = :id",
        mappings=orjson.dumps(everything).decode(),
        id=channel["id"],
    )


def _meaning(kind: MappingKind, mapping: Mapping) -> str:
    for term in (mapping.source, mapping.target):
        if not 0 < len(term) <= CHARS_MAX:
            raise InvalidInput(f"a term has 1 to {CHARS_MAX} characters", field="mappings")
    states = MEANINGS.get(kind)
    if states is None:
        return mapping.target
    try:
        return str(states(mapping.target.lower()))
    except ValueError as error:
        known = ", ".join(states)
        raise InvalidInput(f"{mapping.target!r} is none of {known}", field="mappings") from error


def of(channel: ChannelLike, kind: MappingKind) -> list[Mapping]:
    """Return the mappings of one kind of a channel, in the order in which they were given."""
    return [Mapping(**each) for each in _all(channel).get(str(kind), [])]


def order(channel: ChannelLike, reported: Order) -> Order:
    """Return an order with its state and the kinds of its lines mapped.

    The channel's word for the order is looked up first, then ``payment: WORD``, then ``shipment:
    WORD``. A state that is mapped to open lets the channel's own hold pass, but not a buyer's
    request to cancel, which no state states.
    """
    lines = tuple(_line(channel, line) for line in reported.lines)
    if any(new is not old for new, old in zip(lines, reported.lines, strict=True)):
        reported = replace(reported, lines=lines)
    targets = (_target(channel, MappingKind.ORDER_STATE, term) for term in order_terms(reported))
    found = next((each for each in targets if each is not None), None)
    if found is None:
        return reported
    keeps = found == OrderState.PENDING or reported.hold is HoldReason.CANCELLATION_REQUESTED
    return replace(reported, state=OrderState(found), hold=reported.hold if keeps else None)


def order_terms(reported: Order) -> list[str]:
    """Return the terms by which the state of an order can be mapped, the first that wins."""
    stated = {
        "": reported.remote_state,
        PAYMENT: reported.payment_state,
        SHIPMENT: reported.shipment_state,
    }
    return [f"{prefix}{word}" for prefix, word in stated.items() if word or not prefix]


def line_kind(channel: ChannelLike, sku: str, title: str) -> LineKind | None:
    """Return the mapped kind of an order line, None where nobody mapped it."""
    found = _target(channel, MappingKind.LINE_KIND, sku.strip() or title)
    return None if found is None else LineKind(found)


def _line(channel: ChannelLike, line: OrderLine) -> OrderLine:
    """Return a line with its kind; one without an SKU that nobody mapped is no goods of ours."""
    found = line_kind(channel, line.sku, line.title)
    if found is not None:
        return replace(line, kind=found)
    custom = not line.sku.strip() and line.kind is LineKind.GOODS and not line.serials
    return replace(line, kind=LineKind.CUSTOM) if custom else line


def returned(channel: ChannelLike, reported: Return) -> Return:
    """Return a channel's return with its state mapped."""
    found = _target(channel, MappingKind.RETURN_STATE, reported.remote_state)
    return reported if found is None else replace(reported, state=ReturnState(found))


def carrier(channel: ChannelLike, ours: str | None) -> str | None:
    """Return the channel's name of a carrier; without a mapping, our own."""
    return ours and (_target(channel, MappingKind.CARRIER, ours) or ours)


def words(tx: Transaction, code: str, kind: MappingKind) -> list[Word]:
    """Return the terms of a kind that a channel used recently, the most frequent first.

    A term that is not mapped is named once for each meaning that it has had, with its number.
    Mapped terms without recent use follow. Carriers are our own terms, of the shipments that were
    sent to the channel. Raises UnknownReference for an unknown channel.
    """
    channel = channels.get(tx, code)
    seen = _seen(tx, channel, kind)
    named = of(channel, kind)
    targets = {_key(each.source): each.target for each in named}
    used = {_key(source) for source, _ in seen}
    counted = Counter[tuple[str, str]]()
    for (source, target), times in seen.items():
        counted[source, targets.get(_key(source), target)] += times
    unused = [each for each in named if _key(each.source) not in used]
    return [
        Word(
            source=source,
            target=target,
            times=times,
            mapped=_key(source) in targets,
        )
        for (source, target), times in counted.most_common()
    ] + [Word(each.source, each.target, times=0, mapped=True) for each in unused]


def _seen(tx: Transaction, channel: ChannelRow, kind: MappingKind) -> Counter[tuple[str, str]]:
    if kind is MappingKind.CARRIER:
        return _carriers(tx, channel)
    if kind is MappingKind.LINE_KIND:
        return _line_kinds(tx, channel)
    if kind is MappingKind.ORDER_STATE:
        return _order_states(tx, channel)
    return _return_states(tx, channel)


def _line_kinds(tx: Transaction, channel: ChannelRow) -> Counter[tuple[str, str]]:
    """Count the recent lines that no product is known for, by SKU or title and kind."""
    rows = tx.rows_as(
        _SeenLine,
        "SELECT sku, title, kind FROM (SELECT order_line.sku, order_line.title, order_line.kind, "
        "order_line.product_id FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE sales_order.channel_id = :channel ORDER BY sales_order.placed_at DESC, "
        "order_line.id LIMIT :limit) AS lately WHERE product_id IS NULL",
        channel=channel["id"],
        limit=LOOKED_AT_MAX,
    )
    return Counter((row["sku"] or row["title"], row["kind"]) for row in rows)


def _order_states(tx: Transaction, channel: ChannelRow) -> Counter[tuple[str, str]]:
    """Count the recent terms for orders, payments and shipments, each with what it became."""
    rows = tx.rows_as(
        _SeenOrderState,
        "SELECT remote_state, payment_state, shipment_state, state, COUNT(*) AS times FROM "
        "(SELECT remote_state, payment_state, shipment_state, state FROM sales_order "
        "WHERE channel_id = :channel ORDER BY placed_at DESC LIMIT :limit) AS lately "
        "GROUP BY remote_state, payment_state, shipment_state, state",
        channel=channel["id"],
        limit=LOOKED_AT_MAX,
    )
    found = Counter[tuple[str, str]]()
    for row in rows:
        found[row["remote_state"], row["state"]] += row["times"]
        for prefix, word in ((PAYMENT, row["payment_state"]), (SHIPMENT, row["shipment_state"])):
            if word:
                found[f"{prefix}{word}", row["state"]] += row["times"]
    return found


def _return_states(tx: Transaction, channel: ChannelRow) -> Counter[tuple[str, str]]:
    rows = tx.rows_as(
        _SeenState,
        "SELECT remote_state, state, COUNT(*) AS times FROM (SELECT remote_state, state "
        "FROM channel_return WHERE channel_id = :channel ORDER BY remote_updated_at DESC "
        "LIMIT :limit) AS lately GROUP BY remote_state, state",
        channel=channel["id"],
        limit=LOOKED_AT_MAX,
    )
    return Counter({(row["remote_state"], row["state"]): row["times"] for row in rows})


def _carriers(tx: Transaction, channel: ChannelRow) -> Counter[tuple[str, str]]:
    rows = tx.rows_as(
        _Payload,
        "SELECT payload FROM outbox WHERE channel_id = :channel AND topic = 'fulfillment' "
        "ORDER BY seq DESC LIMIT :limit",
        channel=channel["id"],
        limit=SHIPMENTS_MAX,
    )
    named = (document(row["payload"]).get("carrier") for row in rows)
    return Counter((each, each) for each in named if each)


def _target(channel: ChannelLike, kind: MappingKind, term: str) -> str | None:
    if not channel["mappings"]:
        return None
    sought = _key(term)
    return next((each.target for each in of(channel, kind) if _key(each.source) == sought), None)


def _key(term: str) -> str:
    """Return the key under which a term is compared: without case and surrounding spaces."""
    return term.strip().casefold()


def _all(channel: ChannelLike) -> dict[str, list[dict[str, str]]]:
    return document(channel["mappings"])
