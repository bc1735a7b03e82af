"""Selling over our own counter: the serial is known, of the product that was scanned, and here."""

from collections.abc import Sequence
from dataclasses import replace

from hub import ledger
from hub.catalogue import products_by_code
from hub.commands.work import Work
from hub.errors import Refused, StepNotAllowed, UnknownReference, UnknownUnit, WrongUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.units import Scan, UnitState, identify, locate
from hub.lifecycle import WITH_CUSTOMER
from hub.storage.sql import Row, Transaction


def sell(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
    place: Row | None = None,
) -> list[Verdict]:
    """Sell units; the product of a scan may be a SKU or the GTIN that the till read.

    Where the selling location is given, what stands at another site is refused.
    """
    bounded(scans)
    products = products_by_code(work.tx, sorted({scan.sku for scan in scans if scan.sku}))
    named = [
        replace(scan, sku=products[scan.sku]["sku"]) if scan.sku in products else scan
        for scan in scans
    ]
    found = locate(work.tx, named)
    others = _of_other_products(work.tx, named, found)
    verdicts: dict[int, Verdict] = {}
    for index, (scan, unit) in enumerate(zip(named, found, strict=True)):
        try:
            if scan.sku and scan.sku not in {row["sku"] for row in products.values()}:
                raise UnknownReference(f"there is no product {scan.sku!r}", field="product")
            if index in others:
                text = f"{others[index]['serial']} is a {others[index]['sku']}, not a {scan.sku}"
                raise WrongUnit(text, directed=[])
            if isinstance(unit, UnitState):
                _here(unit, place)
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    return ledger.record(work, command, named, found=found, decided=verdicts)


def _of_other_products(
    tx: Transaction, scans: Sequence[Scan], found: Sequence[UnitState | Refused]
) -> dict[int, Row]:
    """Return the units that bear a scanned serial and are not of the scanned product."""
    places = [
        index
        for index, (scan, unit) in enumerate(zip(scans, found, strict=True))
        if isinstance(unit, UnknownUnit) and scan.sku
    ]
    if not places:
        return {}
    rows = identify(tx, [Scan(scans[index].identifier) for index in places])
    return {
        index: row for index, row in zip(places, rows, strict=True) if not isinstance(row, Refused)
    }


def _here(unit: UnitState, place: Row | None) -> None:
    if place is None or unit.site_id == place["site_id"] or unit.status in WITH_CUSTOMER:
        return
    raise StepNotAllowed(
        f"{unit.serial} is not at {place['code']}: it is at another site", allowed=["transfer_out"]
    )
