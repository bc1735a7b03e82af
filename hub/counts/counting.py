"""Opening of a count, and recording of the scans of its counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub import catalogue
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.counts.rows import CountedUnit, CountOfPlace, PlacedCount, ResultOfCount
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownReference, UnknownUnit
from hub.inbound.serialization import product_code
from hub.ledger.event_writer import bounded
from hub.ledger.units import Scan, identify, key_of
from hub.lifecycle import ON_HAND, Status
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Row, Transaction

REF_CHARS_MAX = 100
CATEGORY_CHARS_MAX = 60
# Units of these statuses are at their recorded place; parts are counted with their kit.
EXPECTED = tuple(sorted(str(each) for each in ON_HAND | {Status.CONDEMNED}))
PRESENT = frozenset({*EXPECTED, str(Status.IN_KIT)})


class Kind(StrEnum):
    """Result of a count for one serial."""

    CONFIRMED = "confirmed"
    MISSING = "missing"  # recorded there, and not seen: phantom stock
    UNEXPECTED = "unexpected"  # seen, and unknown or recorded as gone
    MISPLACED = "misplaced"  # seen, and recorded at another of our places


class Answer(StrEnum):
    """Immediate answer to a counter's scan."""

    NOTED = "noted"  # in a blind count
    EXPECTED = "expected"
    MISPLACED = "misplaced"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCard:
    """Scope of a count: a site with its bins, or one bin, by codes.

    `value_from` is in the minor unit of the products' currency.
    """

    ref: str
    location: str
    product: str | None = None
    category: str | None = None
    value_from: int | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Result of one scan."""

    index: int
    identifier: str
    answer: Answer | None = None
    unit_id: str | None = None
    refusal: Refused | None = None


def open_count(tx: Transaction, context: CommandContext, card: CountCard) -> str:
    """Open a count and return its reference.

    Raises InvalidInput for a used or invalid reference, category or value, UnknownReference for an
    unknown place or product.
    """
    if not 0 < len(card.ref.strip()) <= REF_CHARS_MAX:
        raise InvalidInput(f"a reference has 1 to {REF_CHARS_MAX} characters", field="ref")
    if card.category is not None and not 0 < len(card.category) <= CATEGORY_CHARS_MAX:
        raise InvalidInput(f"a category has 1 to {CATEGORY_CHARS_MAX} characters", field="category")
    if card.value_from is not None and not 0 <= card.value_from < 2**63:
        raise InvalidInput("a value is not negative", field="valueFrom")
    place = catalogue.location(tx, card.location)
    product = catalogue.reference(tx, "product", "sku", card.product) if card.product else None
    known = tx.value("SELECT id FROM stock_count WHERE ref = :ref", ref=card.ref)
    if known is not None:
        raise InvalidInput(f"there is a count {card.ref!r} already", field="ref")
    tx.run(
        "INSERT INTO stock_count(id, ref, location_id, product_id, category, value_from, blind, "
        "state, opened_by, opened_at) VALUES(:id, :ref, :location, :product, :category, "
        ":value_from, :blind, 'open', :actor, :now)",
        id=new_id(),
        ref=card.ref,
        location=place["id"],
        product=product["id"] if product else None,
        category=card.category,
        value_from=card.value_from,
        blind=card.blind,
        actor=context.actor,
        now=micros(context.now),
    )
    return card.ref


def by_ref(tx: Transaction, ref: str, *, lock: bool = False) -> PlacedCount:
    """Return a count with its place; raises UnknownReference."""
    if lock:
        tx.value("SELECT id FROM stock_count WHERE ref = :ref FOR UPDATE", ref=ref)
    count = tx.row_as(
        PlacedCount,
        "SELECT stock_count.*, location.code, location.site_id FROM stock_count "
        "JOIN location ON location.id = stock_count.location_id WHERE stock_count.ref = :ref",
        ref=ref,
    )
    if count is None:
        raise UnknownReference(f"there is no stock count {ref!r}", field="stock_count")
    return count


def listed(tx: Transaction, wanted: Filter, limit: int) -> list[CountOfPlace]:
    """Return counts with their places, the newest first."""
    return tx.rows_as(
        CountOfPlace,
        "SELECT stock_count.*, location.code FROM stock_count "
        f"JOIN location ON location.id = stock_count.location_id {wanted.where()}"
        "ORDER BY stock_count.id DESC LIMIT :limit",
        limit=limit,
        **wanted.values,
    )


def live(tx: Transaction, ref: str) -> PlacedCount:
    """Lock and return a count that is not over; raises StepNotAllowed, UnknownReference."""
    count = by_ref(tx, ref, lock=True)
    if count["state"] not in {"open", "compared"}:
        raise StepNotAllowed(f"the count is {count['state']}", allowed=[])
    return count


def scope(count: PlacedCount) -> Filter:
    """Return the conditions of a count's units, for a query with location and product."""
    wanted = Filter()
    if count["location_id"] == count["site_id"]:
        wanted.add("location.site_id = :site", site=count["site_id"])
    else:
        wanted.add("location.id = :place", place=count["location_id"])
    wanted.add("unit.product_id = :product", product=count["product_id"])
    wanted.add("product.category = :category", category=count["category"])
    wanted.add("product.value >= :value_from", value_from=count["value_from"])
    return wanted


def matches(scanned_at: str, unit: CountedUnit | Row) -> bool:
    """Return whether a unit was read at its recorded place.

    A scan at a site without a bin confirms that the unit is in the building.
    """
    return scanned_at in {unit["location_id"], unit["location_site_id"]}


_NOTE_SCANS = (
    "INSERT INTO count_scan(id, count_id, subject, identifier, unit_id, product_id, "
    "location_id, counter, captured_by, reads, scanned_at) VALUES(:id, :count, :subject, "
    ":identifier, :unit, :product, :location, :counter, :captured_by, 1, :now) "
    "ON CONFLICT(count_id, subject, location_id) DO UPDATE SET "
    "reads = count_scan.reads + 1, scanned_at = excluded.scanned_at, "
    "product_id = COALESCE(excluded.product_id, count_scan.product_id)"
)


def count_units(
    tx: Transaction, context: CommandContext, ref: str, location: str | None, scans: Sequence[Scan]
) -> list[Noted]:
    """Record the scans of one counter at one place; a repeated scan adds no second line.

    No unit is changed or locked. Raises InvalidInput for a place outside the count.
    """
    bounded(scans)
    count = live(tx, ref)
    place = catalogue.location(tx, location) if location else None
    place_id = place["id"] if place else count["location_id"]
    inside = place is None or count["location_id"] in {place["id"], place["site_id"]}
    if not inside:
        raise InvalidInput(f"{location} is not counted here: {count['code']} is", field="location")
    noted: list[Noted] = []
    rows: list[dict[str, Any]] = []
    units = identify(tx, scans)
    products = _products(tx, scans, units)
    for index, (scan, unit) in enumerate(zip(scans, units, strict=True)):
        if isinstance(unit, Refused) and not isinstance(unit, UnknownUnit):
            noted.append(Noted(index=index, identifier=scan.identifier, refusal=unit))
            continue
        known = None if isinstance(unit, Refused) else unit
        answer = Answer.NOTED if count["blind"] else _answer(place_id, known)
        unit_id = known["id"] if known else None
        noted.append(Noted(index=index, identifier=scan.identifier, answer=answer, unit_id=unit_id))
        rows.append(
            {
                "id": new_id(),
                "count": count["id"],
                "subject": unit_id or key_of(scan.identifier),
                "identifier": scan.identifier[:200],
                "unit": unit_id,
                "product": products.get(index),
                "location": place_id,
                "counter": context.actor,
                "captured_by": str(context.captured_by),
                "now": micros(context.now),
            }
        )
    if rows:
        tx.run_many(_NOTE_SCANS, rows)
    return noted


def _products(
    tx: Transaction, scans: Sequence[Scan], units: Sequence[Row | Refused]
) -> dict[int, str]:
    """Return the products that were read with unknown serials, by the index of the scan."""
    codes = {
        index: code
        for index, (scan, unit) in enumerate(zip(scans, units, strict=True))
        if isinstance(unit, UnknownUnit) and (code := product_code(scan.identifier, scan.sku))
    }
    found = catalogue.products_by_code(tx, sorted(set(codes.values()))) if codes else {}
    return {index: found[code]["id"] for index, code in codes.items() if code in found}


def _answer(place_id: str, unit: Row | None) -> Answer:
    if unit is None or unit["status"] not in PRESENT:
        return Answer.UNEXPECTED
    return Answer.EXPECTED if matches(place_id, unit) else Answer.MISPLACED


def cancel(tx: Transaction, context: CommandContext, ref: str) -> None:
    """Cancel a count; adjustments made by then stay."""
    count = live(tx, ref)
    tx.run(
        "UPDATE stock_count SET state = 'cancelled', closed_at = :now WHERE id = :id",
        now=micros(context.now),
        id=count["id"],
    )


def results(
    tx: Transaction, ref: str, *, first: int, after: str | None, kind: str | None = None
) -> list[ResultOfCount]:
    """Return the results of a count with the codes of the places, one more than `first`."""
    count = by_ref(tx, ref)
    wanted = Filter()
    wanted.add("count_result.count_id = :count", count=count["id"])
    wanted.add("count_result.kind = :kind", kind=kind)
    wanted.add("count_result.id > :after", after=after)
    return tx.rows_as(
        ResultOfCount,
        "SELECT count_result.*, was.code AS expected_code, there.code AS found_code "
        "FROM count_result LEFT JOIN location AS was ON was.id = count_result.expected_at "
        "LEFT JOIN location AS there ON there.id = count_result.found_at "
        f"{wanted.where()}ORDER BY count_result.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
