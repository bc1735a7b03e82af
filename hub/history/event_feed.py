"""Event feed for external receivers: events in commit order, with the data of their units.

A reader stores its position in the transaction that stored the events it read. Recording an event
writes nothing for the feed, so readers do not slow down the ledger; events stay in the feed for
ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

from hub.clock import micros, moment
from hub.ledger import event_views
from hub.ledger.rules import client
from hub.lifecycle import Action
from hub.storage.documents import document
from hub.storage.rows import EventRow
from hub.storage.sql import Transaction
from hub.vocabulary import EventError, LedgerEvent, NamedUnit

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


class FeedEvent(EventRow):
    """An event with its unit, product and places."""

    serial: str
    client_id: str | None
    client_since: int | None
    lot: str | None
    expires_on: str | None
    product_id: str
    sku: str
    gtin: str | None
    product_name: str
    manufacturer: str
    from_code: str | None
    from_site: str | None
    to_code: str
    to_kind: str
    to_site: str
    site_code: str | None


class _RecordedAt(TypedDict):
    seq: int
    recorded_at: int


class _FeedPosition(TypedDict):
    transaction_id: int
    seq: int


class _Place(TypedDict):
    code: str
    kind: str
    site: str | None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in the feed: after the event of this transaction and sequence number."""

    transaction: int = 0
    seq: int = 0

    @classmethod
    def behind(cls, event: FeedEvent) -> "Position":
        """Return the position after an event."""
        return cls(event["transaction_id"], event["seq"])


def after(tx: Transaction, position: Position, *, limit: int) -> list[FeedEvent]:
    """Return the next events, up to the first transaction that is still running."""
    return tx.rows_as(
        FeedEvent,
        f"{_EVENTS}WHERE (event.transaction_id, event.seq) > (:transaction_id, :seq) "
        f"AND {event_views.settled(tx)} ORDER BY event.transaction_id, event.seq LIMIT :limit",
        transaction_id=position.transaction,
        seq=position.seq,
        limit=limit,
    )


def by_id(tx: Transaction, event_ids: Sequence[str]) -> dict[str, FeedEvent]:
    """Return events of the feed by their ids."""
    rows = tx.rows_as(FeedEvent, f"{_EVENTS}WHERE event.id IN (:ids...)", ids=list(event_ids))
    return {row["id"]: row for row in rows}


def end(tx: Transaction) -> Position:
    """Return the position after the newest event."""
    return Position(*event_views.feed_end(tx))


def at(tx: Transaction, since: datetime) -> Position:
    """Return a position at, or a little before, the first event recorded from a time on.

    Events are numbered in about the order of recording: a binary search over the numbers finds the
    time.
    """
    wanted = micros(since - SKEW)
    low, high = 0, int(tx.value("SELECT MAX(seq) FROM event") or 0)
    while low < high:
        middle = (low + high) // 2
        row = tx.row_as(
            _RecordedAt,
            "SELECT seq, recorded_at FROM event WHERE seq > :middle ORDER BY seq LIMIT 1",
            middle=middle,
        )
        if row is None or row["recorded_at"] >= wanted:
            high = middle
        else:
            low = row["seq"]
    first = tx.row_as(
        _FeedPosition,
        "SELECT transaction_id, seq FROM event WHERE seq > :low ORDER BY seq LIMIT 1",
        low=low,
    )
    return Position(first["transaction_id"], first["seq"] - 1) if first else end(tx)


def shown_to(tx: Transaction, rows: Sequence[FeedEvent], client_id: str | None) -> list[FeedEvent]:
    """Return the events that a client may see: of its goods, since it owns them."""
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


# --- Events for external receivers -----------------------------------------------------------

# The detail of an event that holds the id of the kit.
_KIT_DETAIL = {str(Action.ENTER_KIT): "kit", str(Action.LEAVE_KIT): "left"}
AWAY = frozenset({"customer", "in_transit", "supplier"})  # kinds of places that are not ours


def ledger_events(tx: Transaction, rows: Sequence[FeedEvent]) -> list[LedgerEvent]:
    """Return events of the feed in the form for external receivers, in their order.

    A correction is sent as the erroneous event with its corrected values.
    """
    wrong = by_id(tx, sorted({row["corrects"] for row in rows if row["corrects"] is not None}))
    parents = _parents(tx, [*rows, *wrong.values()])
    return [_ledger_event(tx, row, wrong.get(row["corrects"] or ""), parents) for row in rows]


Parents = Mapping[str, NamedUnit]


class _Parent(TypedDict):
    id: str
    serial: str
    sku: str
    gtin: str | None


def _parents(tx: Transaction, rows: Sequence[FeedEvent]) -> Parents:
    """Return the kits that units entered or left, by the id of the event."""
    kits = {row["id"]: kit for row in rows if (kit := _kit_of(row)) is not None}
    if not kits:
        return {}
    units = {
        row["id"]: NamedUnit(serial=row["serial"], sku=row["sku"], gtin=row["gtin"])
        for row in tx.rows_as(
            _Parent,
            "SELECT unit.id, unit.serial, product.sku, product.gtin FROM unit "
            "JOIN product ON product.id = unit.product_id WHERE unit.id IN (:ids...)",
            ids=sorted(set(kits.values())),
        )
    }
    return {event_id: units[kit] for event_id, kit in kits.items() if kit in units}


def _kit_of(row: FeedEvent) -> str | None:
    name = _KIT_DETAIL.get(row["action"])
    found = document(row["details"]).get(name) if name else None
    return found if isinstance(found, str) else None


def _ledger_event(
    tx: Transaction, row: FeedEvent, wrong: FeedEvent | None, parents: Parents
) -> LedgerEvent:
    if wrong is None:
        return replace(_plain(row), parent=parents.get(row["id"]))
    details = document(row["details"])
    error = EventError(
        event=wrong["id"],
        declared_at=moment(row["recorded_at"]),
        reason=str(details.get("declaration", "")),
    )
    parent = parents.get(wrong["id"])
    restated = _restated(tx, row, wrong, details)
    return replace(
        _plain(wrong),
        id=row["id"],
        error=error,
        parent=parent,
        restated=None if restated is None else replace(restated, parent=parent),
    )


def _restated(
    tx: Transaction, row: FeedEvent, wrong: FeedEvent, details: Mapping[str, Any]
) -> LedgerEvent | None:
    """Return an event with its corrected values; None if it did not occur."""
    found = [each for each in details["as_corrected"] if each["version"] == wrong["version"]]
    if not found or not found[0]["occurred"]:
        return None
    corrected = found[0]
    place = tx.row_as(
        _Place,
        "SELECT location.code, location.kind, site.code AS site FROM location "
        "LEFT JOIN location AS site ON site.id = location.site_id WHERE location.id = :id",
        id=corrected["location_to"],
    )
    assert place is not None
    return _plain(
        {
            **wrong,
            "id": row["id"],
            "occurred_at": corrected["occurred_at"],
            "document_type": corrected["document_type"],
            "document_ref": corrected["document_ref"],
            "reason": corrected["reason"],
            "status": corrected["status"],
            "disposition": corrected["disposition"],
            "location_to": corrected["location_to"],
            "to_code": place["code"],
            "to_kind": place["kind"],
            "site_code": place["site"],
        }
    )


def _plain(row: FeedEvent) -> LedgerEvent:
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
