"""What people and programs look at: reads that join what belongs together, page by page.

Pages go forward by the id of the last row: ids are time-ordered, so a page never shifts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.catalogue import SELLING_KINDS
from hub.errors import InvalidInput
from hub.sql import Row, Transaction
from hub.units import UNITS

PAGE_MAX = 200


@dataclass(slots=True)
class Filter:
    """Conditions that are joined by AND, with their values."""

    conditions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, condition: str, **values: Any) -> None:
        """Add a condition, unless one of its values is None: then nobody asked for it."""
        if None not in values.values():
            self.conditions.append(condition)
            self.values |= values

    def where(self) -> str:
        """Return the WHERE clause."""
        return f"WHERE {' AND '.join(self.conditions)} " if self.conditions else ""


def page_size(first: int) -> int:
    """Check how many rows are asked for."""
    if not 0 < first <= PAGE_MAX:
        raise InvalidInput(f"first is 1 to {PAGE_MAX}", field="first")
    return first


def units_by_id(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, Row]:
    """Return units with product, manufacturer and location, by id."""
    rows = tx.rows(f"{UNITS}WHERE unit.id IN (:ids...)", ids=list(unit_ids))
    return {row["id"]: row for row in rows}


def units(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    sku: str | None = None,
    status: str | None = None,
    location: str | None = None,
    order: str | None = None,
    serial_prefix: str | None = None,
    custom: tuple[str, str] | None = None,
    client: str | None = None,
) -> list[Row]:
    """Return units, one more than asked for: the caller sees whether there is a next page."""
    wanted = Filter()
    wanted.add("unit.id > :after", after=after)
    wanted.add("unit.client_id = :client", client=client)
    wanted.add("product.sku = :sku", sku=sku)
    wanted.add("unit.status = :status", status=status)
    wanted.add("location.code = :location", location=location)
    wanted.add(
        "unit.order_line_id IN (SELECT id FROM order_line WHERE order_id = :order_id)",
        order_id=order,
    )
    if custom is not None:
        wanted.add(
            "unit.id IN (SELECT unit_id FROM unit_field WHERE name = :field AND value = :value)",
            field=custom[0],
            value=custom[1],
        )
    if serial_prefix is not None:
        wanted.add("unit.serial_canonical >= :low", low=serial_prefix)
        wanted.add("unit.serial_canonical < :high", high=f"{serial_prefix}\U0010fffd")
    return tx.rows(
        f"{UNITS}{wanted.where()}ORDER BY unit.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


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


def identifiers(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the further identifiers of units."""
    return _grouped(tx, "SELECT * FROM identifier WHERE unit_id IN (:ids...) ORDER BY id", unit_ids)


def unit_fields(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the custom fields of units, by name."""
    return _grouped(
        tx, "SELECT * FROM unit_field WHERE unit_id IN (:ids...) ORDER BY name", unit_ids
    )


def holds(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the active holds of units."""
    return _grouped(
        tx,
        "SELECT * FROM hold WHERE unit_id IN (:ids...) AND released_at IS NULL ORDER BY id",
        unit_ids,
    )


def _grouped(tx: Transaction, statement: str, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {unit_id: [] for unit_id in unit_ids}
    for row in tx.rows(statement, ids=list(unit_ids)):
        found[row["unit_id"]].append(row)
    return found


def stock(tx: Transaction, skus: Sequence[str]) -> dict[str, list[Row]]:
    """Count units by product, place and what they are there: sellable, promised, blocked, other.

    Sellable are our own goods: those of clients are sold by their own channels.
    """
    rows = tx.rows(
        "SELECT product.sku, location.code, location.name, location.kind, "
        "SUM(CASE WHEN unit.status = 'in_stock' AND unit.promised_to IS NULL "
        "AND unit.blocks = 0 AND unit.client_id IS NULL AND location.kind IN (:kinds...) "
        "THEN 1 ELSE 0 END) AS available, "
        "SUM(CASE WHEN unit.promised_to IS NOT NULL THEN 1 ELSE 0 END) AS promised, "
        "SUM(CASE WHEN unit.blocks > 0 THEN 1 ELSE 0 END) AS blocked, COUNT(*) AS units "
        "FROM unit JOIN product ON product.id = unit.product_id "
        "JOIN location ON location.id = unit.location_id WHERE product.sku IN (:skus...) "
        "GROUP BY product.sku, location.code, location.name, location.kind "
        "ORDER BY product.sku, location.code",
        skus=list(skus),
        kinds=[str(kind) for kind in SELLING_KINDS],
    )
    found: dict[str, list[Row]] = {sku: [] for sku in skus}
    for row in rows:
        found[row["sku"]].append(row)
    return found


def shown(tx: Transaction, skus: Sequence[str]) -> dict[str, list[Row]]:
    """Return what each channel was told, and was seen to show, of products."""
    rows = tx.rows(
        "SELECT product.sku, channel.*, listing.product_id, listing_level.acknowledged, "
        "listing_level.acknowledged_at, listing_level.observed, listing_level.observed_at, "
        "listing_level.wanted_version, listing_level.done_version, listing_level.state AS level, "
        "listing_level.last_error FROM listing "
        "JOIN listing_level ON listing_level.listing_id = listing.id "
        "JOIN channel ON channel.id = listing.channel_id "
        "JOIN product ON product.id = listing.product_id "
        "WHERE product.sku IN (:skus...) ORDER BY product.sku, channel.code",
        skus=list(skus),
    )
    found: dict[str, list[Row]] = {sku: [] for sku in skus}
    for row in rows:
        found[row["sku"]].append(row)
    return found


def orders(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    channel: str | None = None,
    state: str | None = None,
    number: str | None = None,
) -> list[Row]:
    """Return orders, the newest first, one more than asked for."""
    wanted = Filter()
    wanted.add("sales_order.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    wanted.add("sales_order.state = :state", state=state)
    wanted.add("sales_order.number = :number", number=number)
    return tx.rows(
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        f"FROM sales_order JOIN channel ON channel.id = sales_order.channel_id {wanted.where()}"
        "ORDER BY sales_order.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def orders_by_id(tx: Transaction, order_ids: Sequence[str]) -> dict[str, Row]:
    """Return orders with their channels, by id."""
    rows = tx.rows(
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE sales_order.id IN (:ids...)",
        ids=list(order_ids),
    )
    return {row["id"]: row for row in rows}


def order_lines(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the lines of orders with their bound units' ids."""
    found: dict[str, list[Row]] = {order_id: [] for order_id in order_ids}
    lines = tx.rows(
        "SELECT * FROM order_line WHERE order_id IN (:ids...) ORDER BY id", ids=list(order_ids)
    )
    for row in lines:
        found[row["order_id"]].append(row)
    return found


def line_units(tx: Transaction, line_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the units bound to order lines."""
    found: dict[str, list[Row]] = {line_id: [] for line_id in line_ids}
    rows = tx.rows(
        f"{UNITS}WHERE unit.order_line_id IN (:ids...) ORDER BY unit.id", ids=list(line_ids)
    )
    for row in rows:
        found[row["order_line_id"]].append(row)
    return found


def line_orders(tx: Transaction, line_ids: Sequence[str]) -> dict[str, str]:
    """Return the order's id of each order line."""
    rows = tx.rows("SELECT id, order_id FROM order_line WHERE id IN (:ids...)", ids=list(line_ids))
    return {row["id"]: row["order_id"] for row in rows}


def cases(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    state: str | None = None,
    kind: str | None = None,
) -> list[Row]:
    """Return cases, the newest first, one more than asked for; `state` "live" is not resolved."""
    wanted = Filter()
    wanted.add("exception_case.id < :before", before=before)
    wanted.add("exception_case.kind = :kind", kind=kind)
    if state == "live":
        wanted.add("exception_case.state <> 'resolved'")
    else:
        wanted.add("exception_case.state = :state", state=state)
    return tx.rows(
        "SELECT exception_case.*, channel.code AS channel_code FROM exception_case "
        f"LEFT JOIN channel ON channel.id = exception_case.channel_id {wanted.where()}"
        "ORDER BY exception_case.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def runs(
    tx: Transaction, *, first: int, before: str | None, channel: str | None = None
) -> list[Row]:
    """Return reconciliation runs, the newest first, one more than asked for."""
    wanted = Filter()
    wanted.add("reconciliation_run.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows(
        "SELECT reconciliation_run.*, channel.code AS channel_code, "
        "channel.name AS channel_name FROM reconciliation_run "
        f"JOIN channel ON channel.id = reconciliation_run.channel_id {wanted.where()}"
        "ORDER BY reconciliation_run.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def run(tx: Transaction, run_id: str) -> Row | None:
    """Return one run."""
    return tx.row(
        "SELECT reconciliation_run.*, channel.code AS channel_code, "
        "channel.name AS channel_name FROM reconciliation_run "
        "JOIN channel ON channel.id = reconciliation_run.channel_id "
        "WHERE reconciliation_run.id = :id",
        id=run_id,
    )


def differences(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    run: str | None = None,
    state: str | None = None,
    channel: str | None = None,
) -> list[Row]:
    """Return differences in the order in which they were found, one more than asked for."""
    wanted = Filter()
    wanted.add("difference.id > :after", after=after)
    wanted.add("difference.run_id = :run", run=run)
    wanted.add("difference.state = :state", state=state)
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows(
        "SELECT difference.*, channel.code AS channel_code, channel.name AS channel_name, "
        "product.sku FROM reconciliation_difference AS difference "
        "JOIN channel ON channel.id = difference.channel_id "
        f"LEFT JOIN product ON product.id = difference.product_id {wanted.where()}"
        "ORDER BY difference.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def oldest_unexplained(tx: Transaction) -> int | None:
    """Return since when the oldest open difference is known: a service level."""
    value = tx.value(
        "SELECT MIN(first_seen_at) FROM reconciliation_difference WHERE state = 'open'"
    )
    return None if value is None else int(value)
