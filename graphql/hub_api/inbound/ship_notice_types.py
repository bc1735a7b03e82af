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
from hub_api.common.nodes import Node
from hub_api.engine.stored import each
from hub_api.units.results import UnitResult


@strawberry.input(description="One line of an advance ship notice.")
class AdvanceShipNoticeLineInput:
    ref: str
    product: str = strawberry.field(description="SKU or GTIN.")
    quantity: int
    lot: str | None = None
    serials: list[str] = strawberry.field(
        description="As many as are named; the others are only counted.", default_factory=list
    )


@strawberry.type(description="Serials of one sort.")
class AdvanceShipNoticeSerials:
    count: int
    listed: strawberry.Private[list[str]]

    @strawberry.field(description="The serials themselves.")
    def serials(self, first: int = 1_000, skip: int = 0) -> list[str]:
        if not 0 < first <= SCANS_MAX or skip < 0:
            raise InvalidInput(f"first is 1 to {SCANS_MAX}, skip not negative", field="first")
        return self.listed[skip : skip + first]

    @classmethod
    def of(cls, listed: list[str]) -> "AdvanceShipNoticeSerials":
        """Show serials."""
        return cls(count=len(listed), listed=listed)


@strawberry.type(description="Comparison of one line with the arrivals.")
class AdvanceShipNoticeLine:
    ref: str
    sku: str
    quantity: int
    lot: str | None
    matched: AdvanceShipNoticeSerials
    short: AdvanceShipNoticeSerials = strawberry.field(description="Named, and not here.")
    over: AdvanceShipNoticeSerials = strawberry.field(description="More than announced.")
    unexpected: AdvanceShipNoticeSerials = strawberry.field(
        description="Another serial than announced, or one announced as another product."
    )
    missing: int = strawberry.field(description="All that is short, named or not.")

    @classmethod
    def of(cls, line: LineCheck) -> "AdvanceShipNoticeLine":
        """Show a line."""
        return cls(
            ref=line.ref,
            sku=line.sku,
            quantity=line.quantity,
            lot=line.lot,
            matched=AdvanceShipNoticeSerials.of(line.matched),
            short=AdvanceShipNoticeSerials.of(line.short),
            over=AdvanceShipNoticeSerials.of(line.over),
            unexpected=AdvanceShipNoticeSerials.of(line.unexpected),
            missing=line.missing,
        )


@strawberry.type(description="Comparison of a notice with the arrivals.")
class AdvanceShipNoticeCheck:
    agrees: bool
    matched: AdvanceShipNoticeSerials
    short: AdvanceShipNoticeSerials
    over: AdvanceShipNoticeSerials
    unexpected: AdvanceShipNoticeSerials
    missing: int = strawberry.field(description="All that is short, named or not.")
    lines: list[AdvanceShipNoticeLine]

    @classmethod
    def of(cls, check: Compared) -> "AdvanceShipNoticeCheck":
        """Show a comparison."""
        return cls(
            agrees=check.agrees,
            matched=AdvanceShipNoticeSerials.of(check.matched),
            short=AdvanceShipNoticeSerials.of(check.short),
            over=AdvanceShipNoticeSerials.of(check.over),
            unexpected=AdvanceShipNoticeSerials.of(check.unexpected),
            missing=check.missing,
            lines=each(AdvanceShipNoticeLine.of, check.lines),
        )


@strawberry.type(description="Advance ship notice of a supplier.")
class AdvanceShipNotice(Node):
    id: strawberry.ID
    supplier: str
    ref: str
    purchase_order: str | None
    state: DeliveryState
    expected_on: date | None
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "AdvanceShipNotice":
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
        description="Comparison of the notice with the arrivals so far, serial by serial.",
        metadata={"cost": 50},
    )
    async def check(self, info: Info) -> AdvanceShipNoticeCheck:
        """Compare what came with what was announced."""
        return AdvanceShipNoticeCheck.of(await info.context.read(lambda tx: compare(tx, self.id)))


@strawberry.type(description="Advance ship notice that was stored, with the result of each serial.")
class AnnouncedAdvanceShipNotice:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    accepted: int
    refused: int
    results: list[UnitResult]
    notice_id: strawberry.Private[str]

    @strawberry.field(description="Advance ship notice in its present state.")
    async def advance_ship_notice(self, info: Info) -> AdvanceShipNotice:
        return await _load(info, self.notice_id)


@strawberry.type(description="Advance ship notice that was closed.")
class ClosedAdvanceShipNotice:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    notice_id: strawberry.Private[str]

    @strawberry.field(description="Advance ship notice in its present state.")
    async def advance_ship_notice(self, info: Info) -> AdvanceShipNotice:
        return await _load(info, self.notice_id)


async def _load(info: Info, notice_id: str) -> AdvanceShipNotice:
    return AdvanceShipNotice.of(
        await info.context.read(lambda tx: catalogue.reference(tx, "delivery", "id", notice_id))
    )
