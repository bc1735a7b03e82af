"""What covers a unit and what was done to it: the types that a unit shows."""

from datetime import date, datetime
from decimal import Decimal

import strawberry

from hub.after_sales import cover
from hub.after_sales.cover import CoverKind, Covers, CoverStatus, Entitled
from hub.after_sales.repairs import WorkKind
from hub.clock import moment
from hub.history.sales import Sale
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub_api.engine.stored import each


@strawberry.type(description="One cover of a unit; both days belong to it.")
class UnitCover:
    id: strawberry.ID | None = strawberry.field(description="Of one that can be revoked.")
    kind: CoverKind
    status: CoverStatus
    basis: str = strawberry.field(description="Basis of the cover, for people.")
    starts_on: date | None
    ends_on: date | None
    source: str
    reference: str | None
    observed_at: datetime | None = strawberry.field(description="When the source said it.")
    is_stale: bool

    @classmethod
    def of(cls, each: cover.Cover) -> "UnitCover":
        """Show a cover."""
        return cls(
            id=strawberry.ID(each.id) if each.id else None,
            kind=each.kind,
            status=each.status,
            basis=each.basis,
            starts_on=each.starts_on,
            ends_on=each.ends_on,
            source=each.source,
            reference=each.reference,
            observed_at=each.observed_at,
            is_stale=each.is_stale,
        )


@strawberry.type(description="How a unit was sold, as its history is held true now.")
class UnitSale:
    sold_at: datetime
    sold_on: date = strawberry.field(description="The day of the order, else of the sale.")
    place: str | None = strawberry.field(description="The code of the location that it left.")
    channel: str | None
    channel_name: str | None
    order_id: strawberry.ID | None
    order: str | None = strawberry.field(description="Its number.")
    line: str | None = strawberry.field(description="Of the order, as the channel names it.")
    customer_ref: str | None
    document_type: str | None
    document: str | None = strawberry.field(description="The receipt.")
    price: Decimal | None = strawberry.field(
        description="Amount that was paid for the unit, its share of the discounts deducted. Null: "
        "it is not known here; its channel, or the receipt, has it."
    )
    currency: str | None = strawberry.field(description="ISO 4217 code of the price.")

    @classmethod
    def of(cls, sale: Sale) -> "UnitSale":
        """Show a sale."""
        order = sale.order or {}
        return cls(
            sold_at=moment(sale.occurred_at),
            sold_on=sale.sold_on,
            place=sale.place,
            channel=sale.channel,
            channel_name=order.get("channel_name"),
            order_id=strawberry.ID(order["id"]) if order else None,
            order=order.get("number"),
            line=order.get("line_ref"),
            customer_ref=order.get("customer_ref"),
            document_type=sale.document_type,
            document=sale.document_ref,
            price=sale.price,
            currency=sale.currency,
        )


@strawberry.type(description="Whether a unit is covered on a day, by what, and why.")
class CoverAnswer:
    on: date
    entitled: Entitled
    basis: str
    covers: list[UnitCover] = strawberry.field(metadata={"size": 5})
    sale: UnitSale | None = strawberry.field(description="Null: not sold, or back in stock since.")
    lot: str | None = strawberry.field(description="The batch that it came from.")
    produced_on: date | None
    activated_on: date | None
    registered_on: date | None
    replaced_by: strawberry.ID | None = strawberry.field(description="The unit given in its place.")
    replaces: strawberry.ID | None = strawberry.field(description="The unit in whose place it is.")

    @classmethod
    def of(cls, found: Covers) -> "CoverAnswer":
        """Show an answer."""
        story = found.story
        replaces = story.sale.replaces if story.sale else None
        return cls(
            on=found.on,
            entitled=found.entitled,
            basis=found.basis,
            covers=each(UnitCover.of, found.covers),
            sale=UnitSale.of(story.sale) if story.sale else None,
            lot=found.lot,
            produced_on=date.fromisoformat(found.produced_on) if found.produced_on else None,
            activated_on=story.activated_on,
            registered_on=story.registered_on,
            replaced_by=strawberry.ID(story.replaced_by) if story.replaced_by else None,
            replaces=strawberry.ID(replaces) if replaces else None,
        )


@strawberry.type(description="A part that was replaced.")
class ReplacedPart:
    part: str
    quantity: int
    serial_out: str | None
    serial_in: str | None
    unit_out: strawberry.ID | None = strawberry.field(description="If it is a unit of ours.")
    unit_in: strawberry.ID | None = strawberry.field(description="If it is a unit of ours.")


@strawberry.type(description="One thing that was done to a unit for its customer, or to mend it.")
class ServiceRecord:
    id: strawberry.ID = strawberry.field(description="Of the event.")
    action: Action
    occurred_at: datetime
    actor: str
    location: str
    reason: str | None
    kind: WorkKind | None
    work: str | None
    technician: str | None
    parts: list[ReplacedPart] = strawberry.field(metadata={"size": 5})
    cost: int | None = strawberry.field(description="In the smallest part of `currency`.")
    currency: str | None

    @classmethod
    def of(cls, row: Row) -> "ServiceRecord":
        """Show an event of service."""
        told = row["told"]
        return cls(
            id=strawberry.ID(row["id"]),
            action=Action(row["action"]),
            occurred_at=moment(row["occurred_at"]),
            actor=row["actor"],
            location=row["to_code"],
            reason=row["reason"],
            kind=WorkKind(told["kind"]) if "work" in told else None,
            work=told.get("work"),
            technician=told.get("technician"),
            parts=[ReplacedPart(**part) for part in told.get("parts", [])],
            cost=told.get("cost"),
            currency=told.get("currency"),
        )
