"""Units: what they are, where they are, and how it came to be so."""

from datetime import date, datetime
from typing import Any

import orjson
import strawberry

from hub import lifecycle, units, views
from hub.clock import moment
from hub.errors import InvalidInput, UnknownUnit
from hub.history import VIEWS, View
from hub.holds import HoldKind
from hub.identifiers import canonical
from hub.keys import Scope
from hub.lifecycle import Action, Status
from hub.sql import Row, Transaction
from hub.vocabulary import BizStep, CaptureMethod, Disposition, OrderState, WarrantyStatus
from hub.warranty import Known
from hub_api.catalogue import Location, Product
from hub_api.context import Context
from hub_api.paging import Connection, page, position

Info = strawberry.Info[Context, None]

strawberry.enum(Status, name="UnitStatus", description="Where a unit stands in its life.")
strawberry.enum(BizStep, description="GS1 CBV business step; allocating and releasing are ours.")
strawberry.enum(Disposition, description="GS1 CBV disposition.")
strawberry.enum(CaptureMethod, description="How a serial reached the ledger.")
strawberry.enum(HoldKind, description="Why a unit is held: promised (SALE), or blocked.")
strawberry.enum(WarrantyStatus, description="What a manufacturer says; UNKNOWN stays unknown.")
strawberry.enum(OrderState, description="Where an order stands; FULFILLED: all its units left.")

strawberry.enum(
    View,
    name="HistoryView",
    description="RECORDED: what was recorded, mistakes and all. CORRECTED: what is held true now. "
    "BOTH: what was recorded, with the corrections beside it.",
)

STAFF = (Scope.SCANNER, Scope.POS, Scope.OPS)


@strawberry.type(description="A further name of a unit.")
class Identifier:
    """A further name of a unit."""

    scheme: str
    value: str


@strawberry.type(description="A custom field of a unit.")
class UnitField:
    """A custom field."""

    name: str
    value: str
    changed_at: datetime


@strawberry.input(description="A custom field to search by, or to set.")
class UnitFieldInput:
    """A custom field."""

    name: str
    value: str | None = strawberry.field(description="Null takes the field away.", default=None)


@strawberry.type(description="A promise or a block that is in force.")
class Hold:
    """A promise or a block."""

    kind: HoldKind
    reference: str | None
    reason: str | None
    placed_by: str
    placed_at: datetime
    expires_at: datetime | None


@strawberry.type(description="One thing that happened to one unit. Never changed.")
class UnitEvent:
    """One thing that happened to one unit."""

    id: strawberry.ID
    unit_id: strawberry.Private[str]
    version: int
    action: Action
    biz_step: BizStep
    status_from: Status | None
    status: Status
    disposition: Disposition
    location_from: str | None
    location: str
    location_name: str
    document_type: str | None
    document_ref: str | None
    reason: str | None
    actor: str
    captured_by: CaptureMethod
    details: strawberry.scalars.JSON | None
    occurred_at: datetime
    recorded_at: datetime
    corrects: strawberry.ID | None = strawberry.field(
        description="The event that this one corrects; `details` says what was wrong."
    )
    corrected_by: list[strawberry.ID] = strawberry.field(
        description="The corrections of this event in a history; the last one counts."
    )
    hash: str = strawberry.field(description="Seals this event and, by it, all before it.")
    previous_hash: str

    @classmethod
    def of(cls, row: Row) -> "UnitEvent":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            unit_id=row["unit_id"],
            version=row["version"],
            action=Action(row["action"]),
            biz_step=BizStep(row["biz_step"]),
            status_from=Status(row["status_from"]) if row["status_from"] else None,
            status=Status(row["status"]),
            disposition=Disposition(row["disposition"]),
            location_from=row["from_code"],
            location=row["to_code"],
            location_name=row["to_name"],
            document_type=row["document_type"],
            document_ref=row["document_ref"],
            reason=row["reason"],
            actor=row["actor"],
            captured_by=CaptureMethod(row["captured_by"]),
            details=orjson.loads(row["details"]) if row["details"] else None,
            occurred_at=moment(row["occurred_at"]),
            recorded_at=moment(row["recorded_at"]),
            corrects=strawberry.ID(row["corrects"]) if row["corrects"] else None,
            corrected_by=[strawberry.ID(each) for each in row.get("corrected_by", ())],
            hash=row["hash"],
            previous_hash=row["previous_hash"],
        )

    @strawberry.field(description="The unit, as it is now.")
    async def unit(self, info: Info) -> "Unit":
        """Load the unit."""
        row = await info.context.units(self.unit_id)
        assert row is not None  # an event has a unit, and units are never deleted
        return Unit.of(row)


@strawberry.type(description="One entitlement of a unit; both days belong to it.")
class Coverage:
    """One entitlement."""

    name: str
    starts_on: date | None
    ends_on: date | None


@strawberry.type(description="What the manufacturer says of a unit, with its source and age.")
class Warranty:
    """A remembered answer of the manufacturer."""

    status: WarrantyStatus
    registered: bool = strawberry.field(description="Whether the sale is on record there.")
    starts_on: date | None
    ends_on: date | None
    coverages: list[Coverage]
    source: str = strawberry.field(description="The channel that said it.")
    observed_at: datetime
    is_stale: bool = strawberry.field(description="It is old and could not be asked again.")

    @classmethod
    def of(cls, known: Known) -> "Warranty":
        """Show an answer."""
        return cls(
            status=known.warranty.status,
            registered=known.warranty.registered,
            starts_on=known.warranty.starts_on,
            ends_on=known.warranty.ends_on,
            coverages=[
                Coverage(name=each.name, starts_on=each.starts_on, ends_on=each.ends_on)
                for each in known.warranty.coverages
            ],
            source=known.source,
            observed_at=known.observed_at,
            is_stale=known.is_stale,
        )


@strawberry.type(description="The order of a unit; ask `order` for its lines.")
class UnitOrder:
    """The order of a unit."""

    id: strawberry.ID
    number: str
    channel: str
    channel_name: str
    state: OrderState
    placed_at: datetime


@strawberry.type(description="One physical unit.")
class Unit:
    """One physical unit."""

    id: strawberry.ID
    serial: str = strawberry.field(description="As it stands on the label.")
    product: Product
    status: Status
    disposition: Disposition
    location: Location
    version: int = strawberry.field(description="Counts its events; give it as expectedVersion.")
    grade: str | None
    lot: str | None
    produced_on: date | None
    expires_on: date | None
    is_promised: bool
    is_blocked: bool
    received_at: datetime | None
    sold_at: datetime | None
    changed_at: datetime
    line_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "Unit":
        """Show a row of `hub.views`."""
        return cls(
            id=strawberry.ID(row["id"]),
            serial=row["serial"],
            product=Product.of(row | {"id": row["product_id"], "name": row["product_name"]}),
            status=Status(row["status"]),
            disposition=Disposition(row["disposition"]),
            location=Location(
                id=strawberry.ID(row["location_id"]),
                code=row["location_code"],
                name=row["location_name"],
                kind=row["location_kind"],
            ),
            version=row["version"],
            grade=row["grade"],
            lot=row["lot"],
            produced_on=date.fromisoformat(row["produced_on"]) if row["produced_on"] else None,
            expires_on=date.fromisoformat(row["expires_on"]) if row["expires_on"] else None,
            is_promised=row["promised_to"] is not None,
            is_blocked=row["blocks"] > 0,
            received_at=_moment(row["received_at"]),
            sold_at=_moment(row["sold_at"]),
            changed_at=moment(row["changed_at"]),
            line_id=row["order_line_id"],
        )

    @strawberry.field(description="What the unit permits next.")
    def allowed_actions(self) -> list[Action]:
        """List what can be done."""
        return lifecycle.allowed(self.status, promised=self.is_promised, blocked=self.is_blocked)

    @strawberry.field(description="Everything that happened to it, oldest first.")
    async def history(self, info: Info, view: View = View.BOTH) -> list[UnitEvent]:
        """Load the events."""
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(VIEWS[view]).load(self.id)
        return [UnitEvent.of(row) for row in rows]

    @strawberry.field(description="Its further names: IMEI, asset tag, a second serial.")
    async def identifiers(self, info: Info) -> list[Identifier]:
        """Load the identifiers."""
        rows = await info.context.loaders.of(views.identifiers).load(self.id)
        return [Identifier(scheme=row["scheme"], value=row["value"]) for row in rows]

    @strawberry.field(description="Its custom fields, by name.", metadata={"size": 10})
    async def fields(self, info: Info) -> list[UnitField]:
        """Load the custom fields."""
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(views.unit_fields).load(self.id)
        return [
            UnitField(name=row["name"], value=row["value"], changed_at=moment(row["changed_at"]))
            for row in rows
        ]

    @strawberry.field(description="The promises and blocks in force.")
    async def holds(self, info: Info) -> list[Hold]:
        """Load the holds."""
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(views.holds).load(self.id)
        return [
            Hold(
                kind=HoldKind(row["kind"]),
                reference=row["reference"],
                reason=row["reason"],
                placed_by=row["placed_by"],
                placed_at=moment(row["placed_at"]),
                expires_at=_moment(row["expires_at"]),
            )
            for row in rows
        ]

    @strawberry.field(description="The order that it is promised to or was sold on.")
    async def order(self, info: Info) -> UnitOrder | None:
        """Load the order."""
        info.context.require(*STAFF)
        if self.line_id is None:
            return None
        order_id = await info.context.loaders.of(views.line_orders).load(self.line_id)
        row = await info.context.loaders.of(views.orders_by_id).load(order_id)
        return UnitOrder(
            id=strawberry.ID(row["id"]),
            number=row["number"],
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            state=OrderState(row["state"]),
            placed_at=moment(row["placed_at"]),
        )

    @strawberry.field(
        description="What the manufacturer says; asked at once when nothing fresh is known.",
        metadata={"cost": 50},
    )
    async def warranty(self, info: Info) -> Warranty | None:
        """Answer the warranty."""
        known = await info.context.services.warranty(self.id)
        return Warranty.of(known) if known else None


def _moment(value: Any) -> datetime | None:
    return None if value is None else moment(value)


@strawberry.type
class UnitQuery:
    """Reading units."""

    @strawberry.field(
        description="One unit by its id, its serial in any writing, or another identifier."
    )
    async def unit(self, info: Info, identifier: str, sku: str | None = None) -> Unit | None:
        """Find one unit; null if there is none."""
        found = await info.context.read(lambda tx: _find(tx, identifier, sku))
        return Unit.of(found) if found else None

    @strawberry.field(description="Units that fit all of the filters.")
    async def units(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        sku: str | None = None,
        status: Status | None = None,
        location: str | None = None,
        order_id: strawberry.ID | None = None,
        serial_prefix: str | None = None,
        field: UnitFieldInput | None = None,
    ) -> Connection[Unit]:
        """List units."""
        info.context.require(*STAFF)
        if field is not None and field.value is None:
            raise InvalidInput("say the value to search by", field="field")
        rows = await info.context.read(
            lambda tx: views.units(
                tx,
                first=first,
                after=position(after),
                sku=sku,
                status=str(status) if status else None,
                location=location,
                order=order_id,
                serial_prefix=canonical(serial_prefix) if serial_prefix else None,
                custom=(field.name, field.value) if field and field.value is not None else None,
            )
        )
        return page(rows, first, after, Unit.of)

    @strawberry.field(description="The history of one unit, oldest first.")
    async def history(
        self, info: Info, identifier: str, sku: str | None = None, view: View = View.BOTH
    ) -> list[UnitEvent]:
        """List the events of one unit."""
        info.context.require(*STAFF)
        unit = await info.context.read(lambda tx: units.find(tx, identifier, sku))
        rows = await info.context.loaders.of(VIEWS[view]).load(unit["id"])
        return [UnitEvent.of(row) for row in rows]


def _find(tx: Transaction, identifier: str, sku: str | None) -> Row | None:
    try:
        return units.find(tx, identifier, sku)
    except UnknownUnit:
        return None
