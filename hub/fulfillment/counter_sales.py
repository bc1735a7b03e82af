"""Counter sales: sell units whose serial is known, of the scanned product, at this site."""

from collections.abc import Sequence
from dataclasses import replace

from hub import ledger
from hub.catalogue import products_by_code
from hub.commands.work import Work
from hub.errors import Refused, StepNotAllowed, UnknownReference, UnknownUnit, WrongUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.units import Scan, UnitState, UnitViewRow, identify, locate
from hub.lifecycle import WITH_CUSTOMER
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction


def sell(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
    place: LocationRow | None = None,
) -> list[Verdict]:
    """Sell units; the product of a scan is a SKU or the GTIN that the till read.

    With `place`, units at another site are refused. Returns one verdict for each scan; raises
    InvalidInput for no scans or too many.
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
) -> dict[int, UnitViewRow]:
    """Return units that bear a scanned serial but are of another product, by scan index."""
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


def _here(unit: UnitState, place: LocationRow | None) -> None:
    if place is None or unit.site_id == place["site_id"] or unit.status in WITH_CUSTOMER:
        return
    raise StepNotAllowed(
        f"{unit.serial} is not at {place['code']}: it is at another site", allowed=["transfer_out"]
    )
