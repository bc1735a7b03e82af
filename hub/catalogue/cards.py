"""What is registered in the catalogue: manufacturers, products and locations, and their kinds."""

import re
from dataclasses import dataclass
from enum import StrEnum

from hub.catalogue.serial_case import SerialCase


class LocationKind(StrEnum):
    """Purpose of a location."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    RETURNS = "returns"
    REPAIR = "repair"
    CUSTOMER = "customer"
    IN_TRANSIT = "in_transit"
    SUPPLIER = "supplier"


class Tracking(StrEnum):
    """Level of detail at which units of a product are tracked."""

    NONE = "none"
    LOT = "lot"
    SERIAL = "serial"
    SERIAL_LOT = "serial_lot"


class Trait(StrEnum):
    """Reason to track a product by serial."""

    REGULATED = "regulated"  # a law asks for it: medical devices, medicines, firearms
    THEFT_RISK = "theft_risk"
    COUNTERFEIT_RISK = "counterfeit_risk"
    SERVICED = "serviced"  # it has a service history
    RECALL_RISK = "recall_risk"


class WarrantyStart(StrEnum):
    """Event that starts the warranty of a unit."""

    SALE = "sale"
    SHIP = "ship"
    ACTIVATION = "activation"
    REGISTRATION = "registration"


class ReplacementCover(StrEnum):
    """Warranty of the unit that replaces a failed one."""

    REMAINDER = "remainder"  # the rest of the failed unit's warranty
    FRESH = "fresh"  # a warranty of its own, from the exchange


class Picking(StrEnum):
    """Order in which units leave stock."""

    FIFO = "fifo"  # those that were received first
    FEFO = "fefo"  # those that expire first


LOT_TRACKED = (Tracking.LOT, Tracking.SERIAL_LOT)
SERIAL_TRACKED = (Tracking.SERIAL, Tracking.SERIAL_LOT)
OUTSIDE_KINDS = (LocationKind.CUSTOMER, LocationKind.IN_TRANSIT, LocationKind.SUPPLIER)
CURRENCY = re.compile(r"[A-Z]{3}")
SELLING_KINDS = (LocationKind.WAREHOUSE, LocationKind.STORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManufacturerCard:
    """Data of a manufacturer; `serial_pattern` is a regular expression for its serials.

    `serial_period` is where year, month or week of production stand in them, as checked before.
    """

    code: str
    name: str
    serial_pattern: str | None = None
    serial_period: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCard:
    """Data of a product; `manufacturer` is a manufacturer's code.

    `capture_points` are the actions that require a scan of the unit; `serial_pattern` takes
    precedence over the manufacturer's. Without a `serial_case`, the product keeps the one that it
    has; a new one is FOLDED. `value` is per unit, in minor units of `currency`
    (ISO 4217).
    """

    sku: str
    name: str
    manufacturer: str
    gtin: str | None = None
    model_number: str | None = None
    warranty_months: int = 0
    tracking: Tracking = Tracking.SERIAL
    capture_points: tuple[str, ...] = ()
    serial_pattern: str | None = None
    category: str | None = None
    value: int | None = None
    currency: str | None = None
    traits: tuple[Trait, ...] = ()
    warranty_start: WarrantyStart = WarrantyStart.SALE
    replacement_cover: ReplacementCover = ReplacementCover.REMAINDER
    return_days: int = 30
    picking: Picking = Picking.FIFO
    serial_case: SerialCase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationCard:
    """Data of a location; `site` is the code of the building that a bin belongs to.

    `time_zone` is its IANA name, such as ``Pacific/Auckland``; None: that of its site, or UTC.
    """

    code: str
    name: str
    kind: LocationKind
    site: str | None = None
    time_zone: str | None = None
