"""Mappings: what a channel's words mean here, and ours there, as data that people change.

A connector knows the words that its channel documents. A shop makes words of its own: a state
"awaiting collection", a carrier by another name. They are mapped per channel, and hold for what is
read or told from then on; an order that was read before is put right by reconciliation.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import orjson

from hub.catalogue import reference
from hub.errors import InvalidInput
from hub.storage.sql import Row, Transaction
from hub.vocabulary import Order, OrderState, Return, ReturnState

MAPPINGS_MAX = 200  # of one kind, for one channel
CHARS_MAX = 100
LOOKED_AT_MAX = 10_000  # the latest orders or returns
SHIPMENTS_MAX = 1_000  # the latest ones


class MappingKind(StrEnum):
    """What is mapped; in a state it is their word that is looked up, in a carrier it is ours."""

    ORDER_STATE = "order_state"
    RETURN_STATE = "return_state"
    CARRIER = "carrier"


MEANINGS: dict[MappingKind, type[StrEnum]] = {
    MappingKind.ORDER_STATE: OrderState,
    MappingKind.RETURN_STATE: ReturnState,
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """One word, and what is made of it."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word that a channel used, what is made of it, and how often it was seen lately."""

    source: str
    target: str
    times: int
    mapped: bool


def put(tx: Transaction, code: str, kind: MappingKind, mappings: Iterable[Mapping]) -> None:
    """Name all mappings of one kind of a channel; those named before are forgotten.

    Raises UnknownReference for a channel that does not exist, InvalidInput for a word that is
    empty, too long or named twice, and for a state that is none of ours.
    """
    reference(tx, "channel", "code", code)
    channel = tx.row("SELECT * FROM channel WHERE code = :code FOR UPDATE", code=code)
    assert channel is not None  # channels are never deleted
    named = [Mapping(each.source.strip(), each.target.strip()) for each in mappings]
    if len(named) > MAPPINGS_MAX:
        raise InvalidInput(f"at most {MAPPINGS_MAX} mappings", field="mappings")
    if len({_key(each.source) for each in named}) != len(named):
        raise InvalidInput("each word at most once", field="mappings")
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
    for word in (mapping.source, mapping.target):
        if not 0 < len(word) <= CHARS_MAX:
            raise InvalidInput(f"a word has 1 to {CHARS_MAX} characters", field="mappings")
    states = MEANINGS.get(kind)
    if states is None:
        return mapping.target
    try:
        return str(states(mapping.target.lower()))
    except ValueError as error:
        known = ", ".join(states)
        raise InvalidInput(f"{mapping.target!r} is none of {known}", field="mappings") from error


def of(channel: Row, kind: MappingKind) -> list[Mapping]:
    """Return the mappings of one kind of a channel, as they were named."""
    return [Mapping(**each) for each in _all(channel).get(str(kind), [])]


def order(channel: Row, said: Order) -> Order:
    """Give an order the state that its channel's word for it stands for."""
    found = _target(channel, MappingKind.ORDER_STATE, said.remote_state)
    return said if found is None else replace(said, state=OrderState(found))


def returned(channel: Row, said: Return) -> Return:
    """Give a return the state that its channel's word for it stands for."""
    found = _target(channel, MappingKind.RETURN_STATE, said.remote_state)
    return said if found is None else replace(said, state=ReturnState(found))


def carrier(channel: Row, ours: str | None) -> str | None:
    """Return what a channel calls a carrier; where nobody said, it is what we call it."""
    return ours and (_target(channel, MappingKind.CARRIER, ours) or ours)


def words(tx: Transaction, code: str, kind: MappingKind) -> list[Word]:
    """Return the words of a kind that a channel used lately, the most frequent first.

    Those that are mapped and were not used follow. For carriers these are our own words, of the
    shipments that it was told of.
    """
    channel = reference(tx, "channel", "code", code)
    seen = _carriers(tx, channel) if kind is MappingKind.CARRIER else _states(tx, channel, kind)
    named = of(channel, kind)
    targets = {_key(each.source): each.target for each in named}
    used = {_key(source) for source, _ in seen}
    unused = [each for each in named if _key(each.source) not in used]
    return [
        Word(
            source=source,
            target=targets.get(_key(source), target),
            times=times,
            mapped=_key(source) in targets,
        )
        for (source, target), times in seen.most_common()
    ] + [Word(each.source, each.target, times=0, mapped=True) for each in unused]


def _states(tx: Transaction, channel: Row, kind: MappingKind) -> Counter[tuple[str, str]]:
    table, newest = {
        MappingKind.ORDER_STATE: ("sales_order", "placed_at"),
        MappingKind.RETURN_STATE: ("channel_return", "remote_updated_at"),
    }[kind]
    rows = tx.rows(  # the names are our own words, never input
        "SELECT remote_state, MIN(state) AS state, COUNT(*) AS times FROM "
        f"(SELECT remote_state, state FROM {table} WHERE channel_id = :channel "
        f"ORDER BY {newest} DESC LIMIT :limit) AS lately GROUP BY remote_state",
        channel=channel["id"],
        limit=LOOKED_AT_MAX,
    )
    return Counter({(row["remote_state"], row["state"]): row["times"] for row in rows})


def _carriers(tx: Transaction, channel: Row) -> Counter[tuple[str, str]]:
    rows = tx.rows(
        "SELECT payload FROM outbox WHERE channel_id = :channel AND topic = 'fulfillment' "
        "ORDER BY seq DESC LIMIT :limit",
        channel=channel["id"],
        limit=SHIPMENTS_MAX,
    )
    named = (orjson.loads(row["payload"]).get("carrier") for row in rows)
    return Counter((each, each) for each in named if each)


def _target(channel: Row, kind: MappingKind, word: str) -> str | None:
    if not channel["mappings"]:
        return None
    sought = _key(word)
    return next((each.target for each in of(channel, kind) if _key(each.source) == sought), None)


def _key(word: str) -> str:
    """Words are the same whatever their case and spaces around them."""
    return word.strip().casefold()


def _all(channel: Row) -> dict[str, list[dict[str, str]]]:
    return orjson.loads(channel["mappings"]) if channel["mappings"] else {}
