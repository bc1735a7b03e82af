"""Claims: the names of units that get a record, against the names that units bear already.

A serial is one unit's within its product; a further identifier is one unit's within its name space,
and the number of a device (IMEI, MAC …) is no other unit's serial either.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from hub.catalogue import CatalogueProductRow
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import DuplicateSerial, InvalidBarcode, InvalidInput
from hub.identifiers.device_numbers import (
    IMEI,
    device_names,
    normalized,
    serial_names,
    space_of,
)
from hub.identifiers.numbers import canonical, serial_key
from hub.ledger.arrivals import Arrival
from hub.lifecycle import RECEIVABLE, Status
from hub.storage.sql import Transaction


class _BearerRow(TypedDict):
    id: str
    product_id: str
    serial: str
    serial_case: str
    status: str
    received_at: int | None
    lot: str | None
    merged_into: str | None


class _BorneName(TypedDict):
    space: str
    canonical: str
    unit_id: str


class Taken(NamedTuple):
    """A serial or identifier in use, and the unit that bears it."""

    status: str
    unit_id: str | None = None
    expected: bool = False  # the unit has a record, and is not with us: it may arrive
    lot: str | None = None
    merged: bool = False  # the serial is that of a record that the unit absorbed


def taken_names(tx: Transaction, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], Taken]:
    """Return the names in use by (product or name space, form that is one unit's there)."""
    serials: set[str] = set()
    names: set[str] = set()
    for arrival in arrivals:
        try:
            serials.add(canonical(arrival.serial))
            for space, key in device_names(arrival.serial):
                names |= {key, key[:14]} if space == IMEI else {key}  # or without its check digit
            names.update(*(_forms(*each) for each in arrival.identifiers))
        except InvalidBarcode:
            continue  # refused by its own check below
    taken: dict[tuple[str, str], Taken] = {}
    for row in tx.rows_as(
        _BearerRow,
        # A merged record is the unit that absorbed it, under its own serial.
        "SELECT root.id, unit.product_id, unit.serial, serial_case, root.status, "
        "root.received_at, root.lot, unit.merged_into FROM unit "
        "JOIN unit AS root ON root.id = COALESCE(unit.merged_into, unit.id) "
        "JOIN product ON product.id = unit.product_id WHERE unit.serial_canonical IN (:serials...)",
        serials=sorted(serials | names),
    ):
        bearer = Taken(
            row["status"], row["id"], _is_expected(row), row["lot"], row["merged_into"] is not None
        )
        taken[row["product_id"], serial_key(row["serial"], row["serial_case"])] = bearer
        for space, key in device_names(row["serial"]):
            taken[f"{SERIAL_IN}{space}", key] = bearer
        for space, key in serial_names(row["serial"]):
            taken.setdefault((f"{row['product_id']} {space}", key), bearer)
    if names:
        for borne in tx.rows_as(
            _BorneName,
            "SELECT space, canonical, unit_id FROM identifier WHERE canonical IN (:names...)",
            names=sorted(names),
        ):
            taken[borne["space"], borne["canonical"]] = Taken("in use", borne["unit_id"])
    return taken


SERIAL_IN = "serial in "
"""Begins the name space of serials that are numbers of devices: an IMEI is no unit's serial and
another unit's further identifier. Two serials alike are two units' if their products differ."""


def _is_expected(row: _BearerRow) -> bool:
    # A unit that was given up in transit is missing without a receipt.
    given_up = row["status"] == Status.MISSING and row["received_at"] is None
    return given_up or row["status"] in RECEIVABLE


def claim(
    arrival: Arrival,
    product: CatalogueProductRow,
    taken: dict[tuple[str, str], Taken],
    *,
    expected: bool,
    own_id: str | None = None,
) -> str | None:
    """Claim the names of an arrival; return the id of its expected unit.

    With `own_id` they are for this unit, which may bear some of them already.

    Raise DuplicateSerial for a name in use, InvalidInput for a lot that differs from the announced.
    """
    own = (product["id"], serial_key(arrival.serial, product["serial_case"]))
    same = [(f"{product['id']} {space}", key) for space, key in serial_names(arrival.serial)]
    bearer = next((found for each in (own, *same) if (found := taken.get(each))), None)
    unit_id = bearer.unit_id if bearer and bearer.expected and expected else own_id
    further = [(space_of(scheme), normalized(scheme, each)) for scheme, each in arrival.identifiers]
    as_device = device_names(arrival.serial)
    # What the names of this unit must not be: a name of the same kind, or another unit's serial.
    others = [(f"{SERIAL_IN}{space}", key) for space, key in further]
    for claim in [own, *same, *further, *as_device, *others]:
        known = taken.get(claim)
        # Its serial stays that of the merged record: a unit is found by both.
        absorbed = known is not None and known.merged and own_id is not None and claim == own
        if known is not None and (unit_id is None or known.unit_id != unit_id or absorbed):
            raise DuplicateSerial(
                f"a unit of {product['sku']} with {claim[1]} is known already ({known.status})",
                status=known.status,
            )
    if (
        bearer
        and unit_id
        and unit_id != own_id
        and bearer.lot
        and arrival.lot
        and bearer.lot != arrival.lot
    ):
        raise InvalidInput(f"lot {bearer.lot} was announced, not {arrival.lot}", field="lot")
    own_serial = [(f"{SERIAL_IN}{space}", key) for space, key in as_device]
    taken.update(dict.fromkeys([own, *same, *further, *own_serial], Taken("in this batch")))
    return unit_id


def add_names(
    tx: Transaction, context: CommandContext, names: Sequence[tuple[str, str, str]]
) -> None:
    """Write identifiers of units, each as unit id, scheme and value.

    Duplicates by canonical form are written once.
    """
    once = {name_of(name): name for name in names}
    tx.insert(
        "identifier",
        ("id", "unit_id", "scheme", "space", "value", "canonical", "created_at"),
        [
            (new_id(), unit_id, scheme, space, value.strip(), key, micros(context.now))
            for (space, key), (unit_id, scheme, value) in once.items()
        ],
    )


def name_of(name: tuple[str, str, str]) -> tuple[str, str]:
    """Return the unique key of an identifier: its name space and normal form."""
    return space_of(name[1]), normalized(name[1], name[2])


def _forms(scheme: str, value: str) -> set[str]:
    """Return the forms in which a serial may be this identifier: an IMEI has a check digit or not.

    Raises InvalidBarcode for a value that can be none of its kind.
    """
    key = normalized(scheme, value)
    return {key, key[:14]} if space_of(scheme) == IMEI else {key}
