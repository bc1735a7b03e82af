"""Arrivals: units that get a record, with what is known of them, and how their records begin."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

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
