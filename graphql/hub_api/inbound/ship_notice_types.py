"""Deliveries and births: what is announced, what came of it; units that get their records."""

from datetime import date, datetime

import strawberry

from hub import catalogue
from hub.clock import moment
from hub.errors import InvalidInput
from hub.inbound.ship_notice_check import DeliveryCheck as Compared
from hub.inbound.ship_notice_check import LineCheck, compare
from hub.inbound.ship_notices import DeliveryState
from hub.ledger.event_writer import SCANS_MAX
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.units.results import UnitResult


@strawberry.input(description="One line of a delivery.")
class DeliveryLineInput:
    """One line."""

    ref: str
    product: str = strawberry.field(description="SKU or GTIN.")
    quantity: int
    lot: str | None = None
    serials: list[str] = strawberry.field(
        description="As many as are named; the others are only counted.", default_factory=list
    )


@strawberry.type(description="Serials of one sort.")
class DeliverySerials:
    """Serials of one sort."""

    count: int
    listed: strawberry.Private[list[str]]

    @strawberry.field(description="The serials themselves.")
    def serials(self, first: int = 1_000, skip: int = 0) -> list[str]:
        """List the serials."""
        if not 0 < first <= SCANS_MAX or skip < 0:
            raise InvalidInput(f"first is 1 to {SCANS_MAX}, skip not negative", field="first")
        return self.listed[skip : skip + first]

    @classmethod
    def of(cls, listed: list[str]) -> "DeliverySerials":
        """Show serials."""
        return cls(count=len(listed), listed=listed)


@strawberry.type(description="What came of one line.")
class DeliveryLine:
    """What came of one line."""

    ref: str
    sku: str
    quantity: int
    lot: str | None
    matched: DeliverySerials
    short: DeliverySerials = strawberry.field(description="Named, and not here.")
    over: DeliverySerials = strawberry.field(description="More than announced.")
    unexpected: DeliverySerials = strawberry.field(
        description="Another serial than announced, or one announced as another product."
    )
    missing: int = strawberry.field(description="All that is short, named or not.")

    @classmethod
    def of(cls, line: LineCheck) -> "DeliveryLine":
        """Show a line."""
        return cls(
            ref=line.ref,
            sku=line.sku,
            quantity=line.quantity,
            lot=line.lot,
            matched=DeliverySerials.of(line.matched),
            short=DeliverySerials.of(line.short),
            over=DeliverySerials.of(line.over),
            unexpected=DeliverySerials.of(line.unexpected),
            missing=line.missing,
        )


@strawberry.type(description="What came of a delivery against what was announced.")
class DeliveryCheck:
    """What came of a delivery."""

    agrees: bool
    matched: DeliverySerials
    short: DeliverySerials
    over: DeliverySerials
    unexpected: DeliverySerials
    missing: int = strawberry.field(description="All that is short, named or not.")
    lines: list[DeliveryLine]

    @classmethod
    def of(cls, check: Compared) -> "DeliveryCheck":
        """Show a comparison."""
        return cls(
            agrees=check.agrees,
            matched=DeliverySerials.of(check.matched),
            short=DeliverySerials.of(check.short),
            over=DeliverySerials.of(check.over),
            unexpected=DeliverySerials.of(check.unexpected),
            missing=check.missing,
            lines=[DeliveryLine.of(line) for line in check.lines],
        )


@strawberry.type(description="What a supplier announced.")
class Delivery:
    """What a supplier announced."""

    id: strawberry.ID
    supplier: str
    ref: str
    purchase_order: str | None
    state: DeliveryState
    expected_on: date | None
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "Delivery":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            supplier=row["supplier"],
            ref=row["ref"],
            purchase_order=row["purchase_order"],
            state=DeliveryState(row["state"]),
            expected_on=date.fromisoformat(row["expected_on"]) if row["expected_on"] else None,
            created_at=moment(row["created_at"]),
            closed_at=moment(row["closed_at"]) if row["closed_at"] else None,
        )

    @strawberry.field(
        description="What came of it until now, serial by serial.", metadata={"cost": 50}
    )
    async def check(self, info: Info) -> DeliveryCheck:
        """Compare what came with what was announced."""
        return DeliveryCheck.of(await info.context.read(lambda tx: compare(tx, self.id)))


@strawberry.type(description="A delivery that was announced, and what became of its serials.")
class AnnouncedShipNotice:
    """A delivery that was announced."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    accepted: int
    refused: int
    verdicts: list[UnitResult]
    delivery_id: strawberry.Private[str]

    @strawberry.field(description="The delivery as it is now.")
    async def delivery(self, info: Info) -> Delivery:
        """Load the delivery."""
        return await _load(info, self.delivery_id)


@strawberry.type(description="A delivery that was closed.")
class ClosedDelivery:
    """A delivery that was closed."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    delivery_id: strawberry.Private[str]

    @strawberry.field(description="The delivery as it is now.")
    async def delivery(self, info: Info) -> Delivery:
        """Load the delivery."""
        return await _load(info, self.delivery_id)


async def _load(info: Info, delivery_id: str) -> Delivery:
    return Delivery.of(
        await info.context.read(lambda tx: catalogue.reference(tx, "delivery", "id", delivery_id))
    )
