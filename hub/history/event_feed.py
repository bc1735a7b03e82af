"""The feed of events for those who tell others: in commit order, with all that is to be told.

A reader keeps a position and moves it in the transaction that stored what it read. Nothing is
written when an event is recorded, so that the ledger is not slower for being listened to, and
nothing is lost: an event is in the feed for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from hub.clock import micros, moment
from hub.ledger import event_views
from hub.ledger.rules import client
from hub.storage.sql import Row, Transaction
from hub.vocabulary import EventError, LedgerEvent

# Nodes of a cluster have clocks of their own, and a command may have waited for its turn.
SKEW = timedelta(minutes=1)

_EVENTS = (
    "SELECT event.*, unit.serial, unit.client_id, unit.client_since, unit.lot, unit.expires_on, "
    "unit.product_id, product.sku, product.gtin, product.name AS product_name, "
    "manufacturer.code AS manufacturer, "
    "place_from.code AS from_code, place_from.site_id AS from_site, "
    "place_to.code AS to_code, place_to.kind AS to_kind, place_to.site_id AS to_site, "
    "site.code AS site_code FROM event "
    "JOIN unit ON unit.id = event.unit_id JOIN product ON product.id = unit.product_id "
    "JOIN manufacturer ON manufacturer.id = unit.manufacturer_id "
    "LEFT JOIN location AS place_from ON place_from.id = event.location_from "
    "JOIN location AS place_to ON place_to.id = event.location_to "
    "LEFT JOIN location AS site ON site.id = place_to.site_id "
)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the feed: behind the event of this transaction and sequence number."""

    transaction: int = 0
    seq: int = 0

    @classmethod
    def behind(cls, event: Row) -> "Position":
        """Return the position behind an event."""
        return cls(event["transaction_id"], event["seq"])


def after(tx: Transaction, position: Position, *, limit: int) -> list[Row]:
    """Return the next events, never passing a transaction that still runs."""
    return tx.rows(
        f"{_EVENTS}WHERE (event.transaction_id, event.seq) > (:transaction_id, :seq) "
        f"AND {event_views.settled(tx)} ORDER BY event.transaction_id, event.seq LIMIT :limit",
        transaction_id=position.transaction,
        seq=position.seq,
        limit=limit,
    )


def by_id(tx: Transaction, event_ids: Sequence[str]) -> dict[str, Row]:
    """Return events by their ids, as the feed shows them."""
    rows = tx.rows(f"{_EVENTS}WHERE event.id IN (:ids...)", ids=list(event_ids))
    return {row["id"]: row for row in rows}


def end(tx: Transaction) -> Position:
    """Return the position behind the newest event."""
    return Position(*event_views.feed_end(tx))


def at(tx: Transaction, since: datetime) -> Position:
    """Return a position before everything that was recorded from a time on, or a little earlier.

    Events are numbered in about the order in which they are recorded: the time is sought among the
    numbers, in as many steps as a number has bits.
    """
    wanted = micros(since - SKEW)
    low, high = 0, int(tx.value("SELECT MAX(seq) FROM event") or 0)
    while low < high:
        middle = (low + high) // 2
        row = tx.row(
            "SELECT seq, recorded_at FROM event WHERE seq > :middle ORDER BY seq LIMIT 1",
            middle=middle,
        )
        if row is None or row["recorded_at"] >= wanted:
            high = middle
        else:
            low = row["seq"]
    first = tx.row(
        "SELECT transaction_id, seq FROM event WHERE seq > :low ORDER BY seq LIMIT 1", low=low
    )
    return Position(first["transaction_id"], first["seq"] - 1) if first else end(tx)


def shown_to(tx: Transaction, rows: Sequence[Row], client_id: str | None) -> list[Row]:
    """Return the events that a client may see: of its goods, since they are its own."""
    own = [row for row in rows if row["client_id"] == client_id]
    passed = sorted({row["unit_id"] for row in own if row["client_since"] is not None})
    if not passed:
        return own
    visible = {
        event["id"]
        for history in event_views.history(tx, passed).values()
        for event in client.history_of_owner(history)
    }
    return [row for row in own if row["client_since"] is None or row["id"] in visible]


# --- For those outside ------------------------------------------------------------------------

AWAY = frozenset({"customer", "in_transit", "supplier"})  # kinds of places that are not ours


def told(tx: Transaction, rows: Sequence[Row]) -> list[LedgerEvent]:
    """Return events of the feed as those outside are told of them, in their order.

    A correction is told as the event that was in error, with what was right instead.
    """
    wrong = by_id(tx, sorted({row["corrects"] for row in rows if row["corrects"] is not None}))
    return [_told(tx, row, wrong.get(row["corrects"])) for row in rows]


def _told(tx: Transaction, row: Row, wrong: Row | None) -> LedgerEvent:
    if wrong is None:
        return _plain(row)
    details = orjson.loads(row["details"])
    error = EventError(
        event=wrong["id"],
        declared_at=moment(row["recorded_at"]),
        reason=details["declaration"],
    )
    return replace(
        _plain(wrong), id=row["id"], error=error, restated=_restated(tx, row, wrong, details)
    )


def _restated(tx: Transaction, row: Row, wrong: Row, details: Row) -> LedgerEvent | None:
    """Return what was right instead of an event; None where nothing happened at all."""
    found = [each for each in details["as_corrected"] if each["version"] == wrong["version"]]
    if not found or not found[0]["occurred"]:
        return None
    right = {**wrong, **({name: value for name, value in found[0].items() if name in wrong})}
    place = tx.row(
        "SELECT location.code, location.kind, site.code AS site FROM location "
        "LEFT JOIN location AS site ON site.id = location.site_id WHERE location.id = :id",
        id=right["location_to"],
    )
    assert place is not None
    right |= {"to_code": place["code"], "to_kind": place["kind"], "site_code": place["site"]}
    return _plain(right | {"id": row["id"]})


def _plain(row: Row) -> LedgerEvent:
    away = row["to_kind"] in AWAY
    return LedgerEvent(
        id=row["id"],
        serial=row["serial"],
        sku=row["sku"],
        gtin=row["gtin"],
        action=row["action"],
        biz_step=row["biz_step"],
        disposition=row["disposition"],
        occurred_at=moment(row["occurred_at"]),
        read_point=row["from_code"] if away and row["from_code"] else row["to_code"],
        location=None if away else row["site_code"] or row["to_code"],
        document_type=row["document_type"],
        document_ref=row["document_ref"],
    )
