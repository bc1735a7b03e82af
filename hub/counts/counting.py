"""Opening a count, and noting what the counters read."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub import catalogue
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownUnit
from hub.inbound.serialization import product_code
from hub.ledger.event_writer import bounded
from hub.ledger.units import Scan, identify, key_of
from hub.lifecycle import ON_HAND, Status
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Row, Transaction

REF_CHARS_MAX = 100
CATEGORY_CHARS_MAX = 60
# Units of these statuses stand where the ledger has them; parts are counted with their kit.
EXPECTED = tuple(sorted(str(each) for each in ON_HAND | {Status.CONDEMNED}))
PRESENT = frozenset({*EXPECTED, str(Status.IN_KIT)})


class Kind(StrEnum):
    """What a count found about one serial."""

    CONFIRMED = "confirmed"
    MISSING = "missing"  # recorded there, and not seen: phantom stock
    UNEXPECTED = "unexpected"  # seen, and unknown or recorded as gone
    MISPLACED = "misplaced"  # seen, and recorded at another place of ours


class Answer(StrEnum):
    """What a counter is told at once."""

    NOTED = "noted"  # a blind count says no more
    EXPECTED = "expected"
    MISPLACED = "misplaced"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCard:
    """What is to be counted: a site with its bins, or one bin, by codes.

    `value_from` is in the smallest part of the products' currency.
    """

    ref: str
    location: str
    product: str | None = None
    category: str | None = None
    value_from: int | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What became of one reading."""

    index: int
    identifier: str
    answer: Answer | None = None
    unit_id: str | None = None
    refusal: Refused | None = None


def open_count(tx: Transaction, context: CommandContext, card: CountCard) -> str:
    """Open a count and return its reference; the same reference can not be used twice."""
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


def by_ref(tx: Transaction, ref: str, *, lock: bool = False) -> Row:
    """Return a count with its place, or raise UnknownReference."""
    if lock:
        tx.rows("SELECT id FROM stock_count WHERE ref = :ref FOR UPDATE", ref=ref)
    count = catalogue.reference(tx, "stock_count", "ref", ref)
    place = catalogue.reference(tx, "location", "id", count["location_id"])
    return {**count, "code": place["code"], "site_id": place["site_id"]}


def listed(tx: Transaction, wanted: Filter, limit: int) -> list[Row]:
    """Return counts with their places, the newest first."""
    return tx.rows(
        "SELECT stock_count.*, location.code FROM stock_count "
        f"JOIN location ON location.id = stock_count.location_id {wanted.where()}"
        "ORDER BY stock_count.id DESC LIMIT :limit",
        limit=limit,
        **wanted.values,
    )


def live(tx: Transaction, ref: str) -> Row:
    """Return a count that is not over, locked against whoever works on it too."""
    count = by_ref(tx, ref, lock=True)
    if count["state"] not in {"open", "compared"}:
        raise StepNotAllowed(f"the count is {count['state']}", allowed=[])
    return count


def scope(count: Row) -> Filter:
    """Return the conditions for units, with location and product, that a count asks for."""
    wanted = Filter()
    if count["location_id"] == count["site_id"]:
        wanted.add("location.site_id = :site", site=count["site_id"])
    else:
        wanted.add("location.id = :place", place=count["location_id"])
    wanted.add("unit.product_id = :product", product=count["product_id"])
    wanted.add("product.category = :category", category=count["category"])
    wanted.add("product.value >= :value_from", value_from=count["value_from"])
    return wanted


def matches(scanned_at: str, unit: Row) -> bool:
    """Say whether a unit that the ledger has somewhere was read there.

    Who reads at a site without naming a bin confirms that the unit is in the building.
    """
    return scanned_at in {unit["location_id"], unit["location_site_id"]}


def count_units(
    tx: Transaction, context: CommandContext, ref: str, location: str | None, scans: Sequence[Scan]
) -> list[Noted]:
    """Note what one counter read at one place; the same reading again is counted, not doubled.

    Nothing is changed and no unit is locked. Raises InvalidInput for a place that is not counted.
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
        tx.run_many(
            "INSERT INTO count_scan(id, count_id, subject, identifier, unit_id, product_id, "
            "location_id, counter, captured_by, reads, scanned_at) VALUES(:id, :count, :subject, "
            ":identifier, :unit, :product, :location, :counter, :captured_by, 1, :now) "
            "ON CONFLICT(count_id, subject, location_id) DO UPDATE SET "
            "reads = count_scan.reads + 1, scanned_at = excluded.scanned_at, "
            "product_id = COALESCE(excluded.product_id, count_scan.product_id)",
            rows,
        )
    return noted


def _products(
    tx: Transaction, scans: Sequence[Scan], units: Sequence[Row | Refused]
) -> dict[int, str]:
    """Return the products that were read beside serials which no unit bears, by their indexes."""
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
    """Give a count up; what was adjusted by then stays."""
    count = live(tx, ref)
    tx.run(
        "UPDATE stock_count SET state = 'cancelled', closed_at = :now WHERE id = :id",
        now=micros(context.now),
        id=count["id"],
    )


def results(
    tx: Transaction, ref: str, *, first: int, after: str | None, kind: str | None = None
) -> list[Row]:
    """Return what a count found, one result more than asked for, with the places' codes."""
    count = by_ref(tx, ref)
    wanted = Filter()
    wanted.add("count_result.count_id = :count", count=count["id"])
    wanted.add("count_result.kind = :kind", kind=kind)
    wanted.add("count_result.id > :after", after=after)
    return tx.rows(
        "SELECT count_result.*, was.code AS expected_code, there.code AS found_code "
        "FROM count_result LEFT JOIN location AS was ON was.id = count_result.expected_at "
        "LEFT JOIN location AS there ON there.id = count_result.found_at "
        f"{wanted.where()}ORDER BY count_result.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
