"""Work: what is to be picked where, what is to be done first, and what is under way."""

from datetime import date, datetime

import strawberry

from hub.clock import moment
from hub.decision_rules import Priority
from hub.fulfillment.tasks import TaskKind
from hub.orders import order_views
from hub.storage.documents import values
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.orders.types import Order
from hub_api.units.types import Unit


@strawberry.type(description="One unit that is to be picked, and where it lies.")
class Pick:
    serial: str
    bin: str = strawberry.field(description="The code of the location where it lies.")
    bin_name: str
    site: str
    sku: str
    product: str
    lot: str | None
    expires_on: date | None
    line_id: strawberry.ID
    line: str = strawberry.field(description="The channel's reference of the line.")
    order_id: strawberry.ID
    order: str = strawberry.field(description="The order's number.")
    priority: Priority
    rule: str = strawberry.field(description="The code of the rule that says how urgent it is.")
    unit_id: strawberry.ID

    @classmethod
    def of(cls, row: Row) -> "Pick":
        """Show a row."""
        return cls(
            serial=row["serial"],
            bin=row["bin"],
            bin_name=row["bin_name"],
            site=row["site"],
            sku=row["sku"],
            product=row["product_name"],
            lot=row["lot"],
            expires_on=_day(row["expires_on"]),
            line_id=strawberry.ID(row["line_id"]),
            line=row["line_ref"],
            order_id=strawberry.ID(row["order_id"]),
            order=row["number"],
            priority=row["priority"],
            rule=row["rule"],
            unit_id=strawberry.ID(row["id"]),
        )


@strawberry.type(description="One thing that is to be done with a unit.")
class Task:
    kind: TaskKind
    priority: Priority
    rule: str = strawberry.field(description="The code of the rule that says how urgent it is.")
    serial: str
    sku: str
    bin: str
    site: str
    since: datetime = strawberry.field(
        description="When its order was placed, or since when the unit waits."
    )
    order_id: strawberry.ID | None
    order: str | None = strawberry.field(description="The order's number.")
    line_id: strawberry.ID | None
    tags: list[str]
    promised_on: date | None
    unit_id: strawberry.ID

    @classmethod
    def of(cls, row: Row) -> "Task":
        """Show a row."""
        return cls(
            kind=TaskKind(row["kind"]),
            priority=row["priority"],
            rule=row["rule"],
            serial=row["serial"],
            sku=row["sku"],
            bin=row["bin"],
            site=row["site"],
            since=moment(row["since"]),
            order_id=strawberry.ID(row["order_id"]) if row["order_id"] else None,
            order=row["number"],
            line_id=strawberry.ID(row["line_id"]) if row["line_id"] else None,
            tags=values(row["tags"]),
            promised_on=_day(row["promised_on"]),
            unit_id=strawberry.ID(row["id"]),
        )


@strawberry.type(description="A unit under way between two of our sites: at neither it is sold.")
class Transfer:
    unit: Unit
    origin: str = strawberry.field(description="The site that sent it.")
    destination: str
    since: datetime
    sent_by: str
    document_ref: str | None
    is_overdue: bool

    @classmethod
    def of(cls, row: Row) -> "Transfer":
        """Show a row."""
        return cls(
            unit=Unit.of(row),
            origin=row["sent_from"],
            destination=row["sent_to"],
            since=moment(row["sent_at"]),
            sent_by=row["sent_by"],
            document_ref=row["sent_document"],
            is_overdue=row["is_overdue"],
        )


@strawberry.type(description="An order after it was said what is special about it.")
class OrderPriority:
    order_id: strawberry.ID
    tags: list[str]
    promised_on: date | None
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )

    @strawberry.field(description="The order.")
    async def order(self, info: Info) -> Order:
        return Order.of(await info.context.loaders.of(order_views.orders_by_id).load(self.order_id))


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
