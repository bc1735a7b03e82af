"""What a unit is: its product and serial, put right by an event where they were recorded wrongly.

The record goes on with its history, costs, holds and owner; the event states what it was called
before. What two labels of one unit, or a mistyped serial, have made of it is reversed the same way.
"""

from typing import TypedDict

from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.identifiers.numbers import verbatim
from hub.ledger import record
from hub.ledger.arrivals import Arrival
from hub.ledger.command import Identity, UnitCommand
from hub.ledger.commissioning import renamed
from hub.ledger.event_writer import Verdict, refused
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import Action
from hub.recalls import recall_catch

REASON_CHARS_MAX = 200


class _Code(TypedDict):
    code: str


class _Sku(TypedDict):
    sku: str
    lot: str | None


def correct(
    work: Work, scan: Scan, *, serial: str | None = None, product: str | None = None
) -> list[Verdict]:
    """Give a unit its right serial, product (SKU or GTIN), or both; return its verdict.

    Open recalls catch the unit by what it is from then on. Refused are a correction that changes
    nothing, the name of another unit (DuplicateSerial), and another product for a unit that a
    listing sells by itself. Raises InvalidInput without the context's reason.
    """
    if not 0 < len((work.context.reason or "").strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"say why, in 1 to {REASON_CHARS_MAX} characters", field="reason")
    (unit,) = locate(work.tx, [scan])
    try:
        if isinstance(unit, Refused):
            raise unit
        command = _command(work, unit, serial, product)
    except Refused as refusal:
        return [refused(0, scan.identifier, refusal, unit)]
    done = record(work, command, [Scan(unit.id, expected_version=scan.expected_version)])
    return list(recall_catch.catch_recorded(work, dict(enumerate(done))).values())


def _command(work: Work, unit: UnitState, serial: str | None, product: str | None) -> UnitCommand:
    """Return the command that gives a unit its right names; raises Refused."""
    known = work.tx.row_as(
        _Sku,
        "SELECT product.sku, unit.lot FROM unit JOIN product ON product.id = unit.product_id "
        "WHERE unit.id = :id",
        id=unit.id,
    )
    assert known is not None  # it was just located
    arrival = Arrival(
        serial=serial or unit.serial, product=product or known["sku"], lot=known["lot"]
    )
    named = renamed(work.tx, arrival, unit.id, work.context.now)
    identity = Identity(
        serial=verbatim(named.arrival.serial),
        product_id=named.product["id"],
        manufacturer_id=named.product["manufacturer_id"],
        sku=named.product["sku"],
    )
    if (identity.serial, identity.product_id) == (unit.serial, unit.product_id):
        raise InvalidInput("this is its serial and product already", field="serial")
    if identity.product_id != unit.product_id:
        _check_listings(work, unit)
    return UnitCommand(
        action=Action.REIDENTIFY, identity=identity, details=_details(unit, identity)
    )


def _check_listings(work: Work, unit: UnitState) -> None:
    """Raise StepNotAllowed where a listing offers just this unit."""
    rows = work.tx.rows_as(
        _Code,
        "SELECT channel.code FROM listing JOIN channel ON channel.id = listing.channel_id "
        "WHERE listing.unit_id = :id ORDER BY channel.code",
        id=unit.id,
    )
    if rows:
        codes = ", ".join(row["code"] for row in rows)
        raise StepNotAllowed(f"{codes} sells this very unit: bind its listing anew first")


def _details(unit: UnitState, identity: Identity) -> dict[str, object]:
    """Return what the event states: as the unit's first event does, and what was before."""
    return {
        "serial": identity.serial,
        "product": identity.product_id,
        "manufacturer": identity.manufacturer_id,
        "was": {
            "serial": unit.serial,
            "product": unit.product_id,
            "manufacturer": unit.manufacturer_id,
            "sku": unit.sku,
        },
    }
