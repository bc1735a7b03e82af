"""The catalogue: manufacturers, products, locations; and how many units can be promised where."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.catalogue import (
    LocationKind,
    Picking,
    ReplacementCover,
    Tracking,
    Trait,
    WarrantyStart,
    capture_points,
)
from hub.catalogue.serial_case import SerialCase
from hub.clock import moment
from hub.lifecycle import Action
from hub.recalls import serial_periods
from hub.storage.documents import values
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.nodes import Node

# What the cost of a question assumes of a product: so many places and channels where it is.
USUAL_PLACES = 10


USUAL_CHANNELS = 5

_TRAITS = frozenset(str(each) for each in Trait)


@strawberry.type(description="Who issues the serials.")
class Manufacturer:
    code: str
    name: str

    @strawberry.field(
        description="Where year, month or week of production stand in its serials, as registered: "
        "`LTyyyyww*`; null: no rule is known."
    )
    async def serial_period(self, info: Info) -> str | None:
        """Load its rule."""
        found: str | None = await info.context.loaders.of(serial_periods.rules_of).load(self.code)
        return found


@strawberry.type(description="A place where units are.")
class Location(Node):
    id: strawberry.ID
    code: str
    name: str
    kind: LocationKind
    time_zone: str | None = strawberry.field(
        description="IANA name of its own time zone; null: that of its site, or UTC.", default=None
    )

    @classmethod
    def of(cls, row: Row) -> "Location":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            code=row["code"],
            name=row["name"],
            kind=LocationKind(row["kind"]),
            time_zone=row.get("time_zone"),
        )


@strawberry.type(description="Product with its own SKU.")
class Product(Node):
    id: strawberry.ID
    sku: str
    name: str
    gtin: str | None
    model_number: str | None
    warranty_months: int
    tracking: Tracking
    capture_points: list[Action] = strawberry.field(
        description="The steps at which its units must be scanned."
    )
    manufacturer: Manufacturer
    serial_pattern: str | None = strawberry.field(
        description="The rule that its serials follow: its own, else its manufacturer's."
    )
    serial_case: SerialCase
    category: str | None
    currency: str | None = strawberry.field(description="Of its value, by ISO 4217.")
    traits: list[Trait]
    warranty_start: WarrantyStart
    replacement_cover: ReplacementCover
    return_days: int = strawberry.field(description="How long after the sale it may come back.")
    picking: Picking
    own_value: strawberry.Private[int | None]

    @strawberry.field(description="Of one unit, in the smallest part of the currency.")
    def value(self, info: Info) -> int | None:
        """Show the value to those who may see money."""
        info.context.require(Scope.OPS)
        return self.own_value

    @classmethod
    def of(cls, row: Row) -> "Product":
        """Show a row that is joined with its manufacturer."""
        return cls(
            id=strawberry.ID(row["id"]),
            sku=row["sku"],
            name=row["name"],
            gtin=row["gtin"],
            model_number=row["model_number"],
            warranty_months=row["warranty_months"],
            tracking=Tracking(row["tracking"]),
            capture_points=capture_points.points(row),
            manufacturer=Manufacturer(code=row["maker_code"], name=row["maker_name"]),
            serial_pattern=row["serial_pattern"],
            serial_case=SerialCase(row["serial_case"]),
            category=row["category"],
            currency=row["currency"],
            traits=[Trait(each) for each in values(row["traits"]) if each in _TRAITS],
            warranty_start=WarrantyStart(row["warranty_start"]),
            replacement_cover=ReplacementCover(row["replacement_cover"]),
            return_days=row["return_days"],
            picking=Picking(row["picking"]),
            own_value=row["value"],
        )


@strawberry.type(description="The units of a product at one place.")
class LocationStock:
    location: str
    name: str
    available: int = strawberry.field(
        description="Sellable, unpromised, unblocked, and no client's."
    )
    promised: int
    blocked: int
    units: int = strawberry.field(description="All that are there.")


@strawberry.type(description="Stock level of a product on one channel.")
class ChannelStock:
    """What one channel shows of a product."""

    channel: str
    name: str
    desired: int = strawberry.field(description="Level that the channel should show.")
    acknowledged: int | None = strawberry.field(description="Level that the channel last accepted.")
    acknowledged_at: datetime | None
    observed: int | None = strawberry.field(
        description="Level that the channel was last seen to show."
    )
    observed_at: datetime | None
    is_pending: bool = strawberry.field(description="A newer figure is on its way.")
    last_error: str | None

    @classmethod
    def of(cls, row: Row, desired: int) -> "ChannelStock":
        """Show a level of a listing."""
        return cls(
            channel=row["code"],
            name=row["name"],
            desired=desired,
            acknowledged=row["acknowledged"],
            acknowledged_at=moment(row["acknowledged_at"]) if row["acknowledged_at"] else None,
            observed=row["observed"],
            observed_at=moment(row["observed_at"]) if row["observed_at"] else None,
            is_pending=row["wanted_version"] > row["done_version"] and row["level"] == "live",
            last_error=row["last_error"],
        )


@strawberry.input(description="A manufacturer; the same code again changes it.")
class ManufacturerInput:
    code: str
    name: str
    serial_pattern: str | None = strawberry.field(
        description="A regular expression that its serials follow, in the syntax of RE2: without "
        "back-references and look-around. A check digit is asked for by (?#luhn), (?#gs1) or "
        "(?#mod43) in it.",
        default=None,
    )
    serial_period: str | None = strawberry.field(
        description="Pattern of its serials with the time of production, for recalls: yyyy or yy "
        "is the year, mm the month, ww the week, as in LT-yyyy-ww??-*.",
        default=None,
    )


@strawberry.input(description="A product; the same SKU again changes it.")
class ProductInput:
    sku: str
    name: str
    manufacturer: str = strawberry.field(description="The manufacturer's code.")
    gtin: str | None = None
    model_number: str | None = None
    warranty_months: int = 0
    tracking: Tracking = Tracking.SERIAL
    capture_points: list[Action] = strawberry.field(
        description="Steps at which its units must be scanned (SCAN or RFID).",
        default_factory=list,
    )
    serial_pattern: str | None = strawberry.field(
        description="A rule for its serials that comes before its manufacturer's.", default=None
    )
    category: str | None = None
    value: int | None = strawberry.field(
        description="Of one unit, in the smallest part of the currency.", default=None
    )
    currency: str | None = strawberry.field(description="ISO 4217: EUR, GBP …", default=None)
    traits: list[Trait] = strawberry.field(default_factory=list)
    warranty_start: WarrantyStart = WarrantyStart.SALE
    replacement_cover: ReplacementCover = ReplacementCover.REMAINDER
    return_days: int = strawberry.field(
        description="How long after the sale a unit may come back.", default=30
    )
    picking: Picking = Picking.FIFO
    serial_case: SerialCase | None = strawberry.field(
        description="Comparison of its serials; absent: as it is, FOLDED for a new product.",
        default=None,
    )


@strawberry.input(description="A location; the same code again renames it.")
class LocationInput:
    code: str
    name: str
    kind: LocationKind
    site: str | None = strawberry.field(
        description="For a bin: the code of the warehouse or shop that it belongs to.", default=None
    )
    time_zone: str | None = strawberry.field(
        description="IANA name, such as Europe/Paris: days of sales here are counted in it.",
        default=None,
    )


@strawberry.type(description="Totals of the catalogue after the change.")
class CatalogueChanged:
    manufacturers: int
    products: int
    locations: int
