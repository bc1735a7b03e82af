"""Arrivals: units that get a record, with what is known of them, and how their records begin."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TypeVar

from hub.errors import InvalidBarcode
from hub.identifiers.device_numbers import EID, MEID, VIN, normalized, space_of
from hub.identifiers.names import UnitCode
from hub.lifecycle import Action, Status
from hub.vocabulary import BizStep


class RecordOrigin(StrEnum):
    """Point at which the record of a unit was created."""

    MANUFACTURING = "manufacturing"
    LABELLING = "labelling"
    RECEIVING = "receiving"
    UNSERIALIZED_STOCK = "unserialized_stock"  # unserialized stock, serialized later


class Condition(StrEnum):
    """Wear of a unit."""

    NEW = "new"
    OPEN_BOX = "open_box"
    REFURBISHED = "refurbished"
    USED = "used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An event of a unit before its record was created."""

    what: str
    on: date | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A unit to create a record for; `product` is its SKU or GTIN.

    `product` may be empty if `serial` is an EPC or a GS1 Digital Link, which contain the GTIN.
    `client` is the code of the client that owns the goods. Facts from before the receipt (`batch`,
    `designed_on`, `tested_on`, `history`) are sealed in the event of the origin.
    """

    serial: str
    product: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()  # scheme and value: ("imei", "49…")
    lot: str | None = None
    produced_on: date | None = None
    expires_on: date | None = None
    supplier: str | None = None
    purchase_order: str | None = None
    client: str | None = None
    condition: Condition = Condition.NEW
    batch: str | None = None
    designed_on: date | None = None
    tested_on: date | None = None
    history: tuple[Fact, ...] = ()


def with_code(arrival: Arrival, code: UnitCode) -> Arrival:
    """Return an arrival with all that the code in place of its serial holds.

    Raises InvalidBarcode where the code contradicts what is stated beside it.
    """
    return replace(
        arrival,
        serial=code.serial,
        product=arrival.product or code.gtin or "",
        identifiers=_joined(arrival.identifiers, code.identifiers),
        lot=_agreeing("lot", arrival.lot, code.lot),
        expires_on=_agreeing("expiry", arrival.expires_on, _date(code.expires_on)),
        produced_on=_agreeing("production date", arrival.produced_on, _date(code.produced_on)),
    )


Value = TypeVar("Value", str, date)


def _agreeing(what: str, stated: Value | None, read: Value | None) -> Value | None:
    if stated and read and stated != read:
        raise InvalidBarcode(f"the {what} on the label is {read}, and {stated} is stated")
    return stated or read


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _joined(
    stated: tuple[tuple[str, str], ...], read: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """Return stated identifiers and those of the label, each number once."""
    if not read:
        return stated
    found = {
        (space_of(scheme), normalized(scheme, value)): (scheme, value) for scheme, value in stated
    }
    for scheme, value in read:
        space, key = space_of(scheme), normalized(scheme, value)
        others = [number for of, number in found if of == space and number != key]
        if space in {EID, MEID, VIN} and others:  # one unit has one of these
            raise InvalidBarcode(f"the {space} on the label is {key}, and {others[0]} is stated")
        found.setdefault((space, key), (scheme, value))
    return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Parameters of commissioning: record origin, action, business step and resulting status.

    `gap` describes the unknown part of the units' history and is sealed in the event.
    """

    point: RecordOrigin
    action: Action
    step: BizStep
    status: Status
    gap: str | None = None


RECEIPT = Origin(
    point=RecordOrigin.RECEIVING,
    action=Action.RECEIVE,
    step=BizStep.RECEIVING,
    status=Status.RECEIVED,
)
