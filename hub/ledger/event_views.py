"""Event reads: histories of units, and all events in commit order."""

from collections.abc import Sequence
from typing import TypedDict

from hub.storage.rows import EventRow
from hub.storage.sql import Transaction


class HistoryEventRow(EventRow):
    """An event with the codes and names of its locations."""

    from_code: str | None
    from_name: str | None
    to_code: str
    to_name: str


class FeedEventRow(EventRow):
    """An event with its locations and the SKU of its unit."""

    from_code: str | None
    to_code: str
    to_name: str
    sku: str


class SealRow(TypedDict):
    """The seal of an event and its position in commit order."""

    id: str
    hash: str
    transaction_id: int
    seq: int


class _Position(TypedDict):
    transaction_id: int
    seq: int


def history(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[HistoryEventRow]]:
    """Return all events of units by unit id, oldest first."""
    rows = tx.rows_as(
        HistoryEventRow,
        "SELECT event.*, place_from.code AS from_code, place_from.name AS from_name, "
        "place_to.code AS to_code, place_to.name AS to_name FROM event "
        "LEFT JOIN location AS place_from ON place_from.id = event.location_from "
        "JOIN location AS place_to ON place_to.id = event.location_to "
        "WHERE event.unit_id IN (:ids...) ORDER BY event.unit_id, event.version",
        ids=list(unit_ids),
    )
    found: dict[str, list[HistoryEventRow]] = {unit_id: [] for unit_id in unit_ids}
    for row in rows:
        found[row["unit_id"]].append(row)
    return found


def events_after(
    tx: Transaction, transaction_id: int, seq: int, *, limit: int
) -> list[FeedEventRow]:
    """Return events after a position in commit order.

    On PostgreSQL the feed stops before the oldest running transaction, so that an event that
    commits late is not skipped; SQLite's single writer commits in order.
    """
    return tx.rows_as(
        FeedEventRow,
        "SELECT event.*, place_from.code AS from_code, place_to.code AS to_code, "
        "place_to.name AS to_name, product.sku FROM event "
        "JOIN unit ON unit.id = event.unit_id JOIN product ON product.id = unit.product_id "
        "LEFT JOIN location AS place_from ON place_from.id = event.location_from "
        "JOIN location AS place_to ON place_to.id = event.location_to "
        "WHERE (event.transaction_id, event.seq) > (:transaction_id, :seq) "
        f"AND {settled(tx)} ORDER BY event.transaction_id, event.seq LIMIT :limit",
        transaction_id=transaction_id,
        seq=seq,
        limit=limit,
    )


def sealed_after(tx: Transaction, transaction_id: int, seq: int, *, limit: int) -> list[SealRow]:
    """Return the seals of events after a position in commit order."""
    return tx.rows_as(
        SealRow,
        "SELECT id, hash, transaction_id, seq FROM event "
        f"WHERE (transaction_id, seq) > (:transaction_id, :seq) AND {settled(tx)} "
        "ORDER BY transaction_id, seq LIMIT :limit",
        transaction_id=transaction_id,
        seq=seq,
        limit=limit,
    )


def feed_end(tx: Transaction) -> tuple[int, int]:
    """Return the position of the newest settled event, or (0, 0)."""
    row = tx.row_as(
        _Position,
        f"SELECT transaction_id, seq FROM event WHERE {settled(tx)} "
        "ORDER BY transaction_id DESC, seq DESC LIMIT 1",
    )
    return (row["transaction_id"], row["seq"]) if row else (0, 0)


def settled(tx: Transaction) -> str:
    """Return the SQL condition for events that no running transaction can precede."""
    if tx.dialect == "postgresql":
        return "event.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    return "event.transaction_id = 0"
