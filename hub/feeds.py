"""The feed of events for those who tell others: in commit order, with all that is to be told.

A reader keeps a position and moves it in the transaction that stored what it read. Nothing is
written when an event is recorded, so that the ledger is not slower for being listened to, and
nothing is lost: an event is in the feed for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub import client_rules, views
from hub.clock import micros
from hub.sql import Row, Transaction

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
        f"AND {views.settled(tx)} ORDER BY event.transaction_id, event.seq LIMIT :limit",
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
    return Position(*views.feed_end(tx))


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
        for history in views.history(tx, passed).values()
        for event in client_rules.history_of_owner(history)
    }
    return [row for row in own if row["client_since"] is None or row["id"] in visible]
