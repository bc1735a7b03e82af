"""The catalogue: manufacturers, products, locations; and how many units can be promised where."""

from datetime import datetime

import orjson
import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import (
    LocationCard,
    LocationKind,
    ManufacturerCard,
    Picking,
    ProductCard,
    ReplacementCover,
    Tracking,
    Trait,
    WarrantyStart,
    capture_points,
)
from hub.clock import moment
from hub.errors import InvalidInput
from hub.identifiers import serials
from hub.ledger import unit_views
from hub.lifecycle import Action
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.sync import listing_views, listings
from hub_api.context import Context
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(LocationKind, description="What a place is for.")
strawberry.enum(Tracking, description="What is kept of a product's units.")
strawberry.enum(Trait, description="What makes a product worth following by serial.")
strawberry.enum(WarrantyStart, description="What starts the warranty of a unit.")
strawberry.enum(ReplacementCover, description="What covers the replacement of a failed unit.")
strawberry.enum(Picking, description="Which units leave first.")
strawberry.enum(Action, name="UnitAction", description="What can be done to a unit.")

SKUS_MAX = 200

# What the cost of a question assumes of a product: so many places and channels where it is.
USUAL_PLACES = 10
USUAL_CHANNELS = 5


@strawberry.type(description="Who issues the serials.")
class Manufacturer:
    """Who issues the serials."""

    code: str
    name: str


@strawberry.type(description="A place where units are.")
class Location:
    """A place where units are."""

    id: strawberry.ID
    code: str
    name: str
    kind: LocationKind

    @classmethod
    def of(cls, row: Row) -> "Location":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            code=row["code"],
            name=row["name"],
            kind=LocationKind(row["kind"]),
        )


@strawberry.type(description="What is sold: one SKU.")
class Product:
    """What is sold."""

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
            category=row["category"],
            currency=row["currency"],
            traits=[Trait(each) for each in orjson.loads(row["traits"])],
            warranty_start=WarrantyStart(row["warranty_start"]),
            replacement_cover=ReplacementCover(row["replacement_cover"]),
            return_days=row["return_days"],
            picking=Picking(row["picking"]),
            own_value=row["value"],
        )


@strawberry.type(description="The units of a product at one place.")
class LocationStock:
    """The units of a product at one place."""

    location: str
    name: str
    available: int = strawberry.field(
        description="Sellable, unpromised, unblocked, and no client's."
    )
    promised: int
    blocked: int
    units: int = strawberry.field(description="All that are there.")


@strawberry.type(description="What one channel shows of a product.")
class ChannelStock:
    """What one channel shows of a product."""

    channel: str
    name: str
    desired: int = strawberry.field(description="What it is to show now.")
    acknowledged: int | None = strawberry.field(description="What it last accepted.")
    acknowledged_at: datetime | None
    observed: int | None = strawberry.field(description="What it was last seen to show.")
    observed_at: datetime | None
    is_pending: bool = strawberry.field(description="A newer figure is on its way.")
    last_error: str | None


@strawberry.type(description="How many units of a product can be promised, and where.")
class Availability:
    """How many units of a product can be promised."""

    sku: str
    available: int
    locations: list[LocationStock] = strawberry.field(metadata={"size": USUAL_PLACES})
    channels: list[ChannelStock] = strawberry.field(metadata={"size": USUAL_CHANNELS})


@strawberry.input(description="A manufacturer; the same code again changes it.")
class ManufacturerInput:
    """A manufacturer."""

    code: str
    name: str
    serial_pattern: str | None = strawberry.field(
        description="A regular expression that its serials follow; a check digit is asked for by "
        "(?#luhn), (?#gs1) or (?#mod43) in it.",
        default=None,
    )


@strawberry.input(description="A product; the same SKU again changes it.")
class ProductInput:
    """A product."""

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


@strawberry.input(description="A location; the same code again renames it.")
class LocationInput:
    """A location."""

    code: str
    name: str
    kind: LocationKind
    site: str | None = strawberry.field(
        description="For a bin: the code of the warehouse or shop that it belongs to.", default=None
    )


@strawberry.type(description="What is in the catalogue now.")
class CatalogueChanged:
    """What was registered."""

    manufacturers: int
    products: int
    locations: int


@strawberry.type
class CatalogueQuery:
    """Reading the catalogue."""

    @strawberry.field(description="Where products are available and what each channel shows.")
    async def availability(self, info: Info, skus: list[str]) -> list[Availability]:
        """Count units; nothing is asked of a channel."""
        info.context.require(Scope.STOREFRONT)
        if len(skus) > SKUS_MAX:
            raise InvalidInput(f"at most {SKUS_MAX} SKUs at once", field="skus")
        now = info.context.clock()
        return await info.context.read(lambda tx: _availability(tx, skus, now))

    @strawberry.field(description="All products, by SKU.")
    async def products(self, info: Info, first: int = 100, after_sku: str = "") -> list[Product]:
        """List products."""
        info.context.require(Scope.STOREFRONT)
        rows = await info.context.read(
            lambda tx: tx.rows(
                "SELECT product.*, COALESCE(product.serial_pattern, manufacturer.serial_pattern) "
                "AS serial_pattern, manufacturer.code AS maker_code, "
                "manufacturer.name AS maker_name FROM product "
                "JOIN manufacturer ON manufacturer.id = product.manufacturer_id "
                "WHERE product.sku > :after ORDER BY product.sku LIMIT :limit",
                after=after_sku,
                limit=paging.page_size(first),
            )
        )
        return [Product.of(row) for row in rows]

    @strawberry.field(description="All places, by code.")
    async def locations(self, info: Info) -> list[Location]:
        """List places."""
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM location ORDER BY code LIMIT 10000")
        )
        return [Location.of(row) for row in rows]


def _availability(tx: Transaction, skus: list[str], now: datetime) -> list[Availability]:
    places, channels = unit_views.stock(tx, skus), listing_views.shown(tx, skus)
    desired = _desired(tx, [row for rows in channels.values() for row in rows], now)
    return [
        Availability(
            sku=sku,
            available=sum(row["available"] for row in places[sku]),
            locations=[
                LocationStock(
                    location=row["code"],
                    name=row["name"],
                    available=row["available"],
                    promised=row["promised"],
                    blocked=row["blocked"],
                    units=row["units"],
                )
                for row in places[sku]
            ],
            channels=[_channel_stock(row, desired) for row in channels[sku]],
        )
        for sku in skus
    ]


def _desired(tx: Transaction, rows: list[Row], now: datetime) -> dict[tuple[str, str], int]:
    """Count what each channel is to show of each product: one count for each channel."""
    by_channel: dict[str, list[Row]] = {}
    for row in rows:
        by_channel.setdefault(row["id"], []).append(row)
    return {
        (channel_id, product_id): count
        for channel_id, listed in by_channel.items()
        for product_id, count in listings.available(
            tx, listed[0], [row["product_id"] for row in listed], now
        ).items()
    }


def _channel_stock(row: Row, desired: dict[tuple[str, str], int]) -> ChannelStock:
    return ChannelStock(
        channel=row["code"],
        name=row["name"],
        desired=desired[row["id"], row["product_id"]],
        acknowledged=row["acknowledged"],
        acknowledged_at=moment(row["acknowledged_at"]) if row["acknowledged_at"] else None,
        observed=row["observed"],
        observed_at=moment(row["observed_at"]) if row["observed_at"] else None,
        is_pending=row["wanted_version"] > row["done_version"] and row["level"] == "live",
        last_error=row["last_error"],
    )


@strawberry.type
class CatalogueMutation:
    """Changing the catalogue."""

    @strawberry.mutation(
        description="Register manufacturers, products and locations: all of them, or none.",
        graphql_type=answer("RegisterCatalogueResult", CatalogueChanged),
    )
    async def register_catalogue(
        self,
        info: Info,
        manufacturers: list[ManufacturerInput] | None = None,
        products: list[ProductInput] | None = None,
        locations: list[LocationInput] | None = None,
    ) -> CatalogueChanged:
        """Register what the hub works with. Repeating it changes nothing."""
        info.context.require(Scope.ADMIN)
        context = info.context.command_context()

        def work(tx: Transaction) -> CatalogueChanged:
            for maker in manufacturers or []:
                serials.check_pattern(maker.serial_pattern or "")
                catalogue.register_manufacturer(tx, context, ManufacturerCard(**vars(maker)))
            for product in products or []:
                serials.check_pattern(product.serial_pattern or "")
                catalogue.register_product(tx, context, ProductCard(**vars(product)))
            for place in locations or []:
                catalogue.register_location(tx, context, LocationCard(**vars(place)))
            return CatalogueChanged(
                manufacturers=tx.value("SELECT COUNT(*) FROM manufacturer"),
                products=tx.value("SELECT COUNT(*) FROM product"),
                locations=tx.value("SELECT COUNT(*) FROM location"),
            )

        return await info.context.write(work)
