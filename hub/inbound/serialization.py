"""Serialization: create the record of unserialized stock when its serial is read at a movement.

The earlier history is unknown: the event of the origin seals the gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from hub import catalogue, ledger, orders
from hub.catalogue import products_by_code
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import DuplicateSerial, InvalidBarcode, Refused, UnknownUnit
from hub.identifiers.names import unit_of
from hub.inbound import receiving
from hub.inbound.unserialized_stock import Shelf
from hub.ledger import commissioning
from hub.ledger.arrivals import Arrival, Origin, RecordOrigin
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import Admitted
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.units import Scan, identify
from hub.lifecycle import LIFECYCLE, Action, Place, Status
from hub.orders import Shipment
from hub.storage.documents import document
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction
from hub.vocabulary import BizStep

# What is done to a unit that somebody has in hand.
MOVEMENTS = frozenset({
    Action.MOVE, Action.RELOCATE, Action.TRANSFER_OUT, Action.PICK, Action.SHIP, Action.SELL,
    Action.WRITE_OFF,
})  # fmt: skip
# An order's unit is promised to its line first, and picked before it is shipped.
FOR_AN_ORDER = {
    Action.PICK: (Action.ALLOCATE,),
    Action.SHIP: (Action.ALLOCATE, Action.PICK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An unknown serial and the location of its unit: a place, or a site."""

    arrival: Arrival
    place: LocationRow | None = None
    site: str | None = None


def commissioning_of(context: CommandContext) -> Origin:
    """Return the origin of a unit of unserialized stock, with the gap in its history."""
    day = (context.occurred_at or context.now).date().isoformat()
    return Origin(
        point=RecordOrigin.UNSERIALIZED_STOCK,
        action=Action.COMMISSION,
        step=BizStep.COMMISSIONING,
        status=Status.RECEIVED,
        gap=f"history before {day} is unknown",
    )


def gaps(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the gaps in the histories of units by unit id."""
    rows = tx.rows(
        "SELECT unit_id, details FROM event WHERE unit_id IN (:ids...) AND version = 1",
        ids=list(unit_ids),
    )
    return {row["unit_id"]: document(row["details"]).get("gap") for row in rows}


def capture(
    work: Work,
    sightings: Sequence[Sighting],
    *steps: Action,
) -> list[Verdict | Refused]:
    """Create the records of unserialized units, and reduce the unserialized stock.

    Where no stock is left, the unit is refused with NotEnoughStock.
    `steps` are those for which a product may have to be scanned.
    """
    codes = sorted({code for each in sightings if (code := _code(each.arrival))})
    products = products_by_code(work.tx, codes)
    shelf = Shelf(work.tx, sorted({row["id"] for row in products.values()}))
    # Looked at only now: whoever read the same serial before us held the same rows.
    admitted = commissioning.admit(
        work.tx, work.context, [each.arrival for each in sightings], *steps
    )
    places: dict[str, LocationRow] = {}
    commission: dict[str, list[tuple[int, Admitted]]] = {}
    found: list[Verdict | Refused | None] = [None] * len(sightings)
    for index, (sighting, each) in enumerate(zip(sightings, admitted, strict=True)):
        try:
            if isinstance(each, Refused):
                raise each
            stock = shelf.find(each.product["id"], sighting.place, sighting.site)
        except Refused as refusal:
            found[index] = refusal
            continue
        shelf.take(stock)
        place = sighting.place or catalogue.reference(
            work.tx, "location", "id", stock["location_id"]
        )
        places[place["id"]] = place
        commission.setdefault(place["id"], []).append((index, each))
    shelf.write(work.context)
    for place_id, units in sorted(commission.items()):
        done = receiving.commission_admitted(
            work,
            [each for _, each in units],
            places[place_id],
            commissioning_of(work.context),
        )
        for (index, _), verdict in zip(units, done, strict=True):
            found[index] = replace(verdict, index=index)
    return [each for each in found if each is not None]


def product_code(serial: str, product: str | None) -> str | None:
    """Return the SKU or GTIN that a reading tells, if it tells one."""
    if product:
        return product
    try:
        named = unit_of(serial)
    except InvalidBarcode:
        return None
    return named.gtin if named else None


def capture_units(
    work: Work,
    arrivals: Sequence[Arrival],
    place: LocationRow,
) -> list[Verdict]:
    """Record the serials of unserialized stock at its location; return one verdict for each."""
    bounded(arrivals)
    sightings = [Sighting(arrival=each, place=place) for each in arrivals]
    found = capture(work, sightings, Action.COMMISSION)
    return [
        refused(index, each.arrival.serial, said, None) if isinstance(said, Refused) else said
        for index, (each, said) in enumerate(zip(sightings, found, strict=True))
    ]


def record(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
) -> list[Verdict]:
    """Apply one action to many units; create the records of unserialized stock first.

    A unit that got its record keeps it, whatever is said of the action itself.
    """
    why = at_movement(work, command, scans)
    return explained(ledger.record(work, command, scans), why)


def ship(
    work: Work,
    scans: Sequence[Scan],
    shipment: Shipment,
    *,
    line: str | None = None,
) -> list[Verdict]:
    """Ship units as `hub.orders.ship`; create the records of unserialized stock first."""
    leaving = UnitCommand(action=Action.SHIP, line=line)
    why = at_movement(work, leaving, scans)
    verdicts = orders.ship(work, scans, shipment, line=line)
    return explained(verdicts, why)


def at_movement(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
) -> dict[int, Refused]:
    """Give their records to scans that no unit bears, of products with unserialized stock.

    The product must be known from the scan. Returns why a scan got none, by its index; what is not
    named there is for the ledger to judge.
    """
    bounded(scans)
    if command.action not in MOVEMENTS or not _any(work.tx):
        return {}
    coded = {index: scan for index, scan in enumerate(scans) if _code(_arrival(scan))}
    units = identify(work.tx, list(coded.values()))
    unknown = {
        index: scan
        for (index, scan), unit in zip(coded.items(), units, strict=True)
        if isinstance(unit, UnknownUnit)
    }
    unknown = _fitting(work.tx, command, unknown)
    if not unknown:
        return {}
    sightings = [_sighting(work.tx, command, scan) for scan in unknown.values()]
    found = capture(work, sightings, command.action)
    why = dict(zip(unknown, found, strict=True))
    _for_its_order(work, command, list(why.values()))
    # A serial that somebody else read meanwhile, or that was scanned twice, is known by now.
    return {
        index: each
        for index, each in why.items()
        if isinstance(each, Refused) and not isinstance(each, DuplicateSerial)
    }


def explained(verdicts: Sequence[Verdict], why: dict[int, Refused]) -> list[Verdict]:
    """Say of scans that nobody knows why they got no record either."""
    return [
        refused(verdict.index, verdict.identifier, why[verdict.index], None)
        if verdict.code == UnknownUnit.code and verdict.index in why
        else verdict
        for verdict in verdicts
    ]


def _code(arrival: Arrival) -> str | None:
    return product_code(arrival.serial, arrival.product)


def _any(tx: Transaction) -> bool:
    left = tx.value("SELECT id FROM unserialized_stock WHERE quantity > 0 LIMIT 1")
    return left is not None


def _arrival(scan: Scan) -> Arrival:
    return Arrival(serial=scan.identifier, product=scan.sku or "")


def _sighting(tx: Transaction, command: UnitCommand, scan: Scan) -> Sighting:
    if scan.at is not None:
        return Sighting(arrival=_arrival(scan), place=catalogue.location(tx, scan.at))
    # Within a site only: what is moved was somewhere in the building to which it is moved.
    inside = LIFECYCLE[command.action].place is Place.SITE and command.location is not None
    site = command.location["site_id"] if inside and command.location else None
    return Sighting(arrival=_arrival(scan), site=site)


def _fitting(tx: Transaction, command: UnitCommand, unknown: dict[int, Scan]) -> dict[int, Scan]:
    """Return the scans to capture: of unserialized products, up to what an order lacks."""
    codes = {index: str(_code(_arrival(scan))) for index, scan in unknown.items()}
    products = products_by_code(tx, sorted(set(codes.values())))
    old = {
        index: unknown[index]
        for index, code in codes.items()
        if code in products and products[code]["tracked_since"] is not None
    }
    if command.action not in FOR_AN_ORDER:
        return old
    line = _line(tx, command.line)
    if line is None:
        return {}
    fitting = [index for index in old if products[codes[index]]["id"] == line["product_id"]]
    return {index: old[index] for index in fitting[: max(0, line["quantity"] - line["bound"])]}


class _BoundLine(TypedDict):
    id: str
    product_id: str | None
    quantity: int
    bound: int


def _line(tx: Transaction, line_id: str | None) -> _BoundLine | None:
    """Return an order line with how many units are bound to it, locked."""
    if line_id is None:
        return None
    tx.rows("SELECT id FROM order_line WHERE id = :line FOR UPDATE", line=line_id)
    return tx.row_as(
        _BoundLine,
        "SELECT order_line.id, order_line.product_id, order_line.quantity, (SELECT COUNT(*) "
        "FROM unit WHERE unit.order_line_id = order_line.id AND (unit.promised_to IS NOT NULL "
        "OR unit.status IN ('shipped', 'sold'))) AS bound FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE order_line.id = :line AND sales_order.state = 'open'",
        line=line_id,
    )


def _for_its_order(
    work: Work,
    command: UnitCommand,
    found: Sequence[Verdict | Refused],
) -> None:
    """Promise what was just captured to the line for which it is picked or shipped."""
    scans = [Scan(str(each.unit_id)) for each in found if isinstance(each, Verdict)]
    if not scans:
        return
    for action in FOR_AN_ORDER.get(command.action, ()):
        before = UnitCommand(action=action, line=command.line)
        ledger.record(work, before, scans)
