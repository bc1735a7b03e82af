"""Units: what they are, where they are, and how it came to be so."""

from datetime import date, datetime
from functools import partial
from typing import Any

import strawberry

from hub import lifecycle
from hub.access.keys import Scope
from hub.after_sales import warranty_answers
from hub.after_sales.cover import Asked, covers
from hub.after_sales.repairs import service_history
from hub.clock import micros, moment
from hub.errors import InvalidInput
from hub.history.unit_history import VIEWS, View
from hub.identifiers.labels import LabelFormat
from hub.kits import kit_reports
from hub.ledger import unit_views
from hub.ledger.arrivals import Condition, RecordOrigin
from hub.ledger.holds import HoldKind
from hub.ledger.rules import client
from hub.lifecycle import Action, Status
from hub.orders import order_views
from hub.storage.documents import document
from hub.storage.sql import Row
from hub.unit_records import further_identifiers, merging
from hub.unit_records.further_identifiers import Audience
from hub.vocabulary import BizStep, CaptureMethod, Disposition, OrderState
from hub_api.catalogue.types import Location, Product
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.engine.stored import each
from hub_api.units.client_facts import ClientFacts
from hub_api.units.coverage import CoverAnswer, ServiceRecord
from hub_api.units.labels import UnitLabel
from hub_api.units.sales import UnitSales
from hub_api.units.serialization_facts import SerializationFacts
from hub_api.units.warranty import Warranty

STAFF = (Scope.SCANNER, Scope.POS, Scope.OPS)


MICROS_A_SECOND = 1_000_000


@strawberry.type(description="A further name of a unit.")
class Identifier:
    scheme: str
    value: str


@strawberry.type(description="A custom field of a unit.")
class UnitField:
    name: str
    value: str
    changed_at: datetime


@strawberry.input(description="A custom field to search by, or to set.")
class UnitFieldInput:
    name: str
    value: str | None = strawberry.field(description="Null takes the field away.", default=None)


@strawberry.type(description="A promise or a block that is in force.")
class Hold:
    kind: HoldKind
    reference: str | None
    reason: str | None
    placed_by: str
    placed_at: datetime
    expires_at: datetime | None
    ttl_seconds: int | None = strawberry.field(
        description="Whole seconds left until its end; null: it has none."
    )


@strawberry.type(description="One thing that happened to one unit. Never changed.")
class UnitEvent:
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
            details=_details(row["details"]),
            occurred_at=moment(row["occurred_at"]),
            recorded_at=moment(row["recorded_at"]),
            corrects=strawberry.ID(row["corrects"]) if row["corrects"] else None,
            corrected_by=[strawberry.ID(each) for each in row.get("corrected_by", ())],
            hash=row["hash"],
            previous_hash=row["previous_hash"],
        )

    @strawberry.field(description="The unit, as it is now.")
    async def unit(self, info: Info) -> "Unit":
        row = await info.context.units(self.unit_id)
        assert row is not None  # an event has a unit, and units are never deleted
        return Unit.of(row)


@strawberry.type(description="The order of a unit; ask `order` for its lines.")
class UnitOrder:
    order_id: strawberry.ID
    number: str
    channel: str
    channel_name: str
    state: OrderState
    placed_at: datetime


@strawberry.type(description="A unit is, or was, part of another.")
class KitLink:
    role: str = strawberry.field(description="As what, in your words.")
    joined_at: datetime
    left_at: datetime | None = strawberry.field(description="Null: it is part of it now.")
    kit_id: strawberry.ID
    part_id: strawberry.ID

    @classmethod
    def of(cls, row: Row) -> "KitLink":
        """Show a row."""
        return cls(
            role=row["role"],
            joined_at=moment(row["joined_at"]),
            left_at=_moment(row["left_at"]),
            kit_id=strawberry.ID(row["parent_id"]),
            part_id=strawberry.ID(row["child_id"]),
        )

    @strawberry.field(description="The kit, as it is now.")
    async def kit(self, info: Info) -> "Unit":
        return Unit.of(await info.context.loaders.of(unit_views.units_by_id).load(self.kit_id))

    @strawberry.field(description="The part, as it is now.")
    async def part(self, info: Info) -> "Unit":
        return Unit.of(await info.context.loaders.of(unit_views.units_by_id).load(self.part_id))


async def _kit_links(info: Info, unit_id: str, column: str, as_of: datetime | None) -> list[Row]:
    info.context.require(*STAFF)
    if as_of is not None and as_of.tzinfo is None:
        raise InvalidInput("say the time zone of asOf", field="asOf")
    rows = await info.context.loaders.of(kit_reports.links).load(unit_id)
    instant = micros(as_of) if as_of else None
    return [row for row in kit_reports.at(rows, instant) if row[column] == unit_id]


@strawberry.type(description="One physical unit.")
class Unit(Node, UnitSales, SerializationFacts, ClientFacts):
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
    promised_to: strawberry.Private[str | None]
    promised_until: strawberry.Private[int | None]
    is_blocked: bool
    received_at: datetime | None
    sold_at: datetime | None
    changed_at: datetime
    line_id: strawberry.Private[str | None]
    condition: Condition
    origin: RecordOrigin = strawberry.field(description="Where its record began.")
    supplier: str | None
    purchase_order: str | None
    root_id: strawberry.Private[str | None]
    advance_ship_notice_id: strawberry.ID | None = strawberry.field(
        description="Id of the advance ship notice that announced it or that it arrived with."
    )

    @classmethod
    def of(cls, row: Row) -> "Unit":
        """Show a row of `hub.views`."""
        return cls(
            id=strawberry.ID(row["id"]),
            serial=row["serial"],
            product=Product.of({**row, "id": row["product_id"], "name": row["product_name"]}),
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
            promised_to=row["promised_to"],
            promised_until=row["promised_until"],
            is_blocked=row["blocks"] > 0,
            received_at=_moment(row["received_at"]),
            sold_at=_moment(row["sold_at"]),
            changed_at=moment(row["changed_at"]),
            line_id=row["order_line_id"],
            condition=Condition(row["condition"]),
            origin=RecordOrigin(row["origin"]),
            supplier=row["supplier"],
            purchase_order=row["purchase_order"],
            advance_ship_notice_id=strawberry.ID(row["delivery_id"])
            if row["delivery_id"]
            else None,
            client_id=row["client_id"],
            root_id=row["merged_into"],
        )

    @strawberry.field(
        description="Records of the same unit that were merged into it, each with its history.",
        metadata={"size": 2},
    )
    async def absorbed(self, info: Info) -> "list[Unit]":
        """Load the records that this one absorbed."""
        info.context.require(*STAFF)
        ids = await info.context.loaders.of(merging.absorbed_by).load(str(self.id))
        rows = await info.context.loaders.of(unit_views.units_by_id).load_many(ids)
        return each(Unit.of, filter(None, rows))

    @strawberry.field(description="The unit that a merged record goes on as.")
    async def merged_into(self, info: Info) -> "Unit | None":
        if self.root_id is None:
            return None
        row = await info.context.loaders.of(unit_views.units_by_id).load(self.root_id)
        return Unit.of(row) if row else None

    @strawberry.field(
        description="Whether the unit is promised to an order or a cart whose time is not over."
    )
    def is_promised(self, info: Info) -> bool:
        return self._is_promised(info)

    def _is_promised(self, info: Info) -> bool:
        if self.promised_to is None or self.promised_until is None:
            return self.promised_to is not None
        return self.promised_until > micros(info.context.clock())

    @strawberry.field(description="Movements that the unit permits next.")
    def allowed_actions(self, info: Info) -> list[Action]:
        promised = self._is_promised(info)
        return lifecycle.allowed(self.status, promised=promised, blocked=self.is_blocked)

    @strawberry.field(description="Everything that happened to it, oldest first.")
    async def history(self, info: Info, view: View = View.BOTH) -> list[UnitEvent]:
        info.context.require(*STAFF, Scope.CLIENT)
        rows = await info.context.loaders.of(VIEWS[view]).load(self.id)
        return each(UnitEvent.of, info.context.own_history(rows))

    @strawberry.field(description="Its further names: IMEI, asset tag, a second serial.")
    async def identifiers(self, info: Info) -> list[Identifier]:
        rows = await info.context.loaders.of(unit_views.identifiers).load(self.id)
        if info.context.caller.client_id is not None:
            unit = await info.context.units(self.id)
            rows = client.names_of_owner(unit, rows) if unit else []
        return [Identifier(scheme=row["scheme"], value=row["value"]) for row in rows]

    @strawberry.field(
        description="The serial to show: to a customer the maker's, in the warehouse our own label "
        "or number where it bears one, else our id."
    )
    async def display_serial(self, info: Info, audience: Audience) -> str:
        """Choose the serial for who looks."""
        if audience is Audience.CUSTOMER:
            return self.serial
        info.context.require(*STAFF)
        names = await info.context.loaders.of(unit_views.identifiers).load(self.id)
        return further_identifiers.shown_inside(self.id, names)

    @strawberry.field(description="Its label, for a printer or a page.", metadata={"cost": 10})
    async def label(self, info: Info, format: LabelFormat = LabelFormat.ZPL) -> UnitLabel:
        info.context.require(Scope.SCANNER, Scope.POS)
        row = await info.context.units(self.id)
        assert row is not None  # units are never deleted
        return UnitLabel.of(row, format)

    @strawberry.field(description="Its custom fields, by name.", metadata={"size": 10})
    async def fields(self, info: Info) -> list[UnitField]:
        info.context.require(*STAFF, Scope.CLIENT)
        rows = await info.context.loaders.of(unit_views.unit_fields).load(self.id)
        if info.context.caller.client_id is not None:
            unit = await info.context.units(self.id)
            rows = client.fields_of_owner(unit, rows) if unit else []
        return [
            UnitField(name=row["name"], value=row["value"], changed_at=moment(row["changed_at"]))
            for row in rows
        ]

    @strawberry.field(description="Its own parts, now or at an instant.", metadata={"size": 20})
    async def kit_members(self, info: Info, as_of: datetime | None = None) -> list[KitLink]:
        """Load what is part of it."""
        rows = await _kit_links(info, self.id, "parent_id", as_of)
        return each(KitLink.of, rows)

    @strawberry.field(description="Kit that the unit is part of, now or at an instant.")
    async def kit(self, info: Info, as_of: datetime | None = None) -> KitLink | None:
        rows = await _kit_links(info, self.id, "child_id", as_of)
        return KitLink.of(rows[0]) if rows else None

    @strawberry.field(
        description="All that ever was part of it, and all that it ever was part of.",
        metadata={"size": 50},
    )
    async def kit_history(self, info: Info) -> list[KitLink]:
        """Load its kits and parts, oldest first."""
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(kit_reports.links).load(self.id)
        return each(KitLink.of, rows)

    @strawberry.field(description="The promises and blocks in force.")
    async def holds(self, info: Info) -> list[Hold]:
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(unit_views.holds).load(self.id)
        now = micros(info.context.clock())
        in_force = [row for row in rows if row["expires_at"] is None or row["expires_at"] > now]
        return each(partial(_hold, now=now), in_force)

    @strawberry.field(description="The order that it is promised to or was sold on.")
    async def order(self, info: Info) -> UnitOrder | None:
        info.context.require(*STAFF)
        if self.line_id is None:
            return None
        order_id = await info.context.loaders.of(order_views.line_orders).load(self.line_id)
        row = await info.context.loaders.of(order_views.orders_by_id).load(order_id)
        return UnitOrder(
            order_id=strawberry.ID(row["id"]),
            number=row["number"],
            channel=row["channel_code"],
            channel_name=row["channel_name"],
            state=OrderState(row["state"]),
            placed_at=moment(row["placed_at"]),
        )

    @strawberry.field(
        description="Warranty by the manufacturer, who is asked when no fresh answer is stored.",
        metadata={"cost": 50},
    )
    async def warranty(self, info: Info) -> Warranty | None:
        asked = (str(self.id), info.context.clock())
        known = await info.context.loaders.of(warranty_answers.known_at).load(asked)
        if known is None or known.is_stale:
            known = await info.context.services.warranty(self.id)
        return Warranty.of(known) if known else None

    @strawberry.field(
        description="Cover of the unit on a day, today if none is given: our own warranty, "
        "additional covers, and the last answer of the manufacturer.",
        metadata={"cost": 5},
    )
    async def cover(self, info: Info, on: date | None = None) -> CoverAnswer:
        info.context.require(*STAFF)
        now = info.context.clock()
        asked = Asked(self.id, on or now.date(), now)
        return CoverAnswer.of(await info.context.loaders.of(covers).load(asked))

    @strawberry.field(
        description="Services and repairs of the unit, oldest first.",
        metadata={"size": 10},
    )
    async def service_history(self, info: Info) -> list[ServiceRecord]:
        info.context.require(*STAFF)
        rows = await info.context.loaders.of(service_history).load(self.id)
        return each(ServiceRecord.of, rows)


def _hold(row: Row, now: int) -> Hold:
    ends = row["expires_at"]
    return Hold(
        kind=HoldKind(row["kind"]),
        reference=row["reference"],
        reason=row["reason"],
        placed_by=row["placed_by"],
        placed_at=moment(row["placed_at"]),
        expires_at=_moment(ends),
        ttl_seconds=None if ends is None else (ends - now) // MICROS_A_SECOND,
    )


def _details(text: str | None) -> Any:
    return document(text) if text else None


def _moment(value: Any) -> datetime | None:
    return None if value is None else moment(value)


def _id(value: str | None) -> strawberry.ID | None:
    return None if value is None else strawberry.ID(value)
