"""Opening of a recall: preview of its scope, then immediate catching of its units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import orjson

from hub.availability.rows import ProductUnits
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, UnknownReference
from hub.ledger.units import UNITS
from hub.lifecycle import WITH_CUSTOMER, Status
from hub.recalls import recall_catch, recall_predicates
from hub.recalls.recall_predicates import Condition
from hub.storage.paging import page_size
from hub.storage.rows import RecallRow
from hub.storage.sql import Row, Transaction

OUTSIDE = WITH_CUSTOMER | {Status.IN_KIT}  # where a unit may be a customer's
TEXTS = {"ref": 100, "title": 300, "instructions": 5_000}  # characters at most


class _UnitGroup(TypedDict):
    product_id: str
    status: str
    location_id: str
    units: int


class _ChannelBuyers(TypedDict):
    channel_id: str
    units: int
    customers: int


class _Code(TypedDict):
    id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallCard:
    """Input for a new recall; `instructions` are the text for its customers."""

    ref: str
    title: str
    predicate: Mapping[str, Any]
    instructions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Numbers of units that match a predicate, by status, place, channel and product.

    `places` and `channels` are codes; channel None counts unsold units.
    """

    affected: int
    of_products: int  # all units of the products that it touches
    customers: int
    statuses: list[tuple[str, int]]
    places: list[tuple[str, int]]
    channels: list[tuple[str | None, int]]
    products: list[tuple[str, int, int]]  # SKU, affected units, all units


def preview(tx: Transaction, given: Mapping[str, Any]) -> tuple[Scope, dict[str, Any]]:
    """Count the units that match a predicate; return the scope and the validated predicate."""
    predicate = recall_predicates.parse(tx, given)
    return count(tx, recall_predicates.condition(predicate)), predicate


def count(tx: Transaction, fits: Condition) -> Scope:
    """Count the units that match a condition."""
    rows = tx.rows_as(
        _UnitGroup,
        "SELECT unit.product_id, unit.status, unit.location_id, COUNT(*) AS units FROM unit "
        f"WHERE {fits.sql} GROUP BY unit.product_id, unit.status, unit.location_id",
        **fits.values,
    )
    codes = _codes(tx, "location", "code", {row["location_id"] for row in rows})
    skus = _codes(tx, "product", "sku", {row["product_id"] for row in rows})
    totals = {
        row["product_id"]: row["units"]
        for row in tx.rows_as(
            ProductUnits,
            "SELECT product_id, COUNT(*) AS units FROM unit WHERE product_id IN (:ids...) "
            "GROUP BY product_id",
            ids=sorted(skus),
        )
    }
    affected = _summed((skus[row["product_id"]], row["units"]) for row in rows)
    statuses = _summed((row["status"], row["units"]) for row in rows)
    may_be_sold = any(status in OUTSIDE for status, _ in statuses)
    channels, customers = _buyers(tx, fits) if may_be_sold else ([], 0)
    everything = sum(row["units"] for row in rows)
    sold = sum(number for _, number in channels)
    rest: list[tuple[str | None, int]] = [(None, everything - sold)] if everything > sold else []
    return Scope(
        affected=everything,
        of_products=sum(totals.values()),
        customers=customers,
        statuses=statuses,
        places=_summed((codes[row["location_id"]], row["units"]) for row in rows),
        channels=[*channels, *rest],
        products=[
            (sku, number, totals[product_id])
            for sku, number in affected
            for product_id, code in skus.items()
            if code == sku
        ],
    )


class Edges(NamedTuple):
    """The first and last unit that a predicate catches, and the nearest that it does not.

    Each is a row of `hub.ledger.units.UNITS`, or None. The order is that of serials by length and
    letters, the nearest are units of the same products.
    """

    first: Row | None
    last: Row | None
    nearest_before: Row | None
    nearest_after: Row | None


def edges(tx: Transaction, given: Mapping[str, Any]) -> Edges:
    """Return the units at the edges of what a predicate catches."""
    fits = recall_predicates.condition(recall_predicates.parse(tx, given))
    up = "LENGTH(unit.serial_canonical), unit.serial_canonical, unit.id"
    down = "LENGTH(unit.serial_canonical) DESC, unit.serial_canonical DESC, unit.id DESC"

    def one(where: str, order: str, **values: Any) -> Row | None:
        return tx.row(f"{UNITS}WHERE {where} ORDER BY {order} LIMIT 1", **fits.values, **values)

    first, last = one(f"({fits.sql})", up), one(f"({fits.sql})", down)
    if first is None or last is None:
        return Edges(None, None, None, None)
    others = (
        f"NOT ({fits.sql}) AND unit.product_id IN "
        f"(SELECT unit.product_id FROM unit WHERE {fits.sql}) AND "
        "(LENGTH(unit.serial_canonical) {than} LENGTH(:edge) OR "
        "LENGTH(unit.serial_canonical) = LENGTH(:edge) AND unit.serial_canonical {than} :edge)"
    )
    return Edges(
        first,
        last,
        one(others.format(than="<"), down, edge=first["serial_canonical"]),
        one(others.format(than=">"), up, edge=last["serial_canonical"]),
    )


def affected_units(tx: Transaction, given: Mapping[str, Any], first: int, after: str | None) -> Any:
    """Return the units that match a predicate, one more than `first`."""
    fits = recall_predicates.condition(recall_predicates.parse(tx, given))
    beyond = "AND unit.id > :after " if after else ""
    values = {**fits.values, "after": after} if after else fits.values
    return tx.rows(
        f"{UNITS}WHERE {fits.sql} {beyond}ORDER BY unit.id LIMIT :limit",
        limit=page_size(first) + 1,
        **values,
    )


def open_recall(work: Work, card: RecallCard) -> str:
    """Open a recall and catch every unit that matches it, in one transaction; return its id.

    Raises InvalidInput for an invalid predicate or text, or a used reference.
    """
    for field, chars_max in TEXTS.items():
        text = getattr(card, field)
        if len(text) > chars_max or (field != "instructions" and not text.strip()):
            raise InvalidInput(f"it needs 1 to {chars_max} characters", field=field)
    predicate = recall_predicates.parse(work.tx, card.predicate)
    recall_catch.shut_out(work.tx)
    named = recall_predicates.skus(predicate)
    product_id = None
    if named is not None and len(named) == 1:
        product_id = work.tx.value("SELECT id FROM product WHERE sku = :sku", sku=next(iter(named)))
    row = work.tx.row_as(
        RecallRow,
        "INSERT INTO recall(id, ref, title, product_id, predicate, instructions, state, "
        "opened_by, opened_at) VALUES(:id, :ref, :title, :product, :predicate, :instructions, "
        "'open', :actor, :now) ON CONFLICT(ref) DO NOTHING RETURNING *",
        id=new_id(),
        ref=card.ref,
        title=card.title,
        product=product_id,
        predicate=orjson.dumps(predicate).decode(),
        instructions=card.instructions,
        actor=work.context.actor,
        now=micros(work.context.now),
    )
    if row is None:
        raise InvalidInput(f"there is a recall {card.ref!r} already", field="ref")
    recall_catch.take(work, row)
    return row["id"]


def by_ref(tx: Transaction, ref: str, *, lock: bool = False) -> RecallRow:
    """Return a recall, locked with `lock`; raises UnknownReference."""
    end = " FOR UPDATE" if lock else ""
    row = tx.row_as(RecallRow, f"SELECT * FROM recall WHERE ref = :ref{end}", ref=ref)
    if row is None:
        raise UnknownReference(f"there is no recall {ref!r}", field="ref")
    return row


def _buyers(tx: Transaction, fits: Condition) -> tuple[list[tuple[str | None, int]], int]:
    """Count the units with customers by channel, and the customers; parts are with their kits."""
    rows = tx.rows_as(
        _ChannelBuyers,
        # For a part in nested kits, the outermost kit was sold.
        "WITH RECURSIVE affected(id, root) AS (SELECT unit.id, unit.id FROM unit "
        f"WHERE unit.status IN ('shipped', 'sold', 'in_kit') AND ({fits.sql}) "
        "UNION SELECT affected.id, unit.kit_id FROM affected "
        "JOIN unit ON unit.id = affected.root "
        "WHERE unit.status = 'in_kit' AND unit.kit_id IS NOT NULL), "
        "sold AS (SELECT sales_order.channel_id, sales_order.customer_ref "
        "FROM affected JOIN unit ON unit.id = affected.root "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.status IN ('shipped', 'sold')) "
        "SELECT channel_id, COUNT(*) AS units, "
        "(SELECT COUNT(DISTINCT customer_ref) FROM sold) AS customers FROM sold "
        "GROUP BY channel_id",
        **fits.values,
    )
    codes = _codes(tx, "channel", "code", {row["channel_id"] for row in rows})
    found = sorted((codes[row["channel_id"]], row["units"]) for row in rows)
    customers = rows[0]["customers"] if rows else 0
    return [(code, number) for code, number in found], customers


def _codes(tx: Transaction, table: str, column: str, ids: set[str]) -> dict[str, str]:
    # Table and column are constants of this module, never input.
    rows = tx.rows_as(
        _Code, f"SELECT id, {column} AS code FROM {table} WHERE id IN (:ids...)", ids=list(ids)
    )
    return {row["id"]: row["code"] for row in rows}


def _summed(pairs: Any) -> list[tuple[str, int]]:
    totals: dict[str, int] = {}
    for name, number in pairs:
        totals[name] = totals.get(name, 0) + number
    return sorted(totals.items())
