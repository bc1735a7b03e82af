"""Events of units, and all events in the order in which they were committed."""

from collections.abc import Sequence

from hub.storage.sql import Row, Transaction


def history(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return all events of units, oldest first, with the places' codes."""
    rows = tx.rows(
        "SELECT event.*, place_from.code AS from_code, place_from.name AS from_name, "
        "place_to.code AS to_code, place_to.name AS to_name FROM event "
        "LEFT JOIN location AS place_from ON place_from.id = event.location_from "
        "JOIN location AS place_to ON place_to.id = event.location_to "
        "WHERE event.unit_id IN (:ids...) ORDER BY event.unit_id, event.version",
        ids=list(unit_ids),
    )
    found: dict[str, list[Row]] = {unit_id: [] for unit_id in unit_ids}
    for row in rows:
        found[row["unit_id"]].append(row)
    return found


def events_after(tx: Transaction, transaction_id: int, seq: int, *, limit: int) -> list[Row]:
    """Return the feed of events in commit order, after a position.

    On PostgreSQL a reader never passes the oldest transaction that still runs, so that an event
    that commits late is not skipped; SQLite's single writer commits in order by itself.
    """
    return tx.rows(
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


def sealed_after(tx: Transaction, transaction_id: int, seq: int, *, limit: int) -> list[Row]:
    """Return the seals of events in commit order, after a position."""
    return tx.rows(
        "SELECT id, hash, transaction_id, seq FROM event "
        f"WHERE (transaction_id, seq) > (:transaction_id, :seq) AND {settled(tx)} "
        "ORDER BY transaction_id, seq LIMIT :limit",
        transaction_id=transaction_id,
        seq=seq,
        limit=limit,
    )


def feed_end(tx: Transaction) -> tuple[int, int]:
    """Return the position behind the newest event before which nothing can still appear."""
    row = tx.row(
        f"SELECT transaction_id, seq FROM event WHERE {settled(tx)} "
        "ORDER BY transaction_id DESC, seq DESC LIMIT 1"
    )
    return (row["transaction_id"], row["seq"]) if row else (0, 0)


def settled(tx: Transaction) -> str:
    """Select events that no running transaction can still slip in before."""
    if tx.dialect == "postgresql":
        return "event.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    return "event.transaction_id = 0"
