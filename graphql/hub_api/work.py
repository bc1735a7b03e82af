"""Work: what is to be picked where, what is to be done first, and what is under way."""

from datetime import date, datetime

import orjson
import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.clock import moment
from hub.decision_rules import Priority
from hub.fulfillment import picking, priorities, tasks
from hub.fulfillment.tasks import TaskKind
from hub.fulfillment.transfers import OVERDUE_HOURS, under_way
from hub.orders import order_lookup, order_views
from hub.storage.sql import Row, Transaction
from hub_api.context import Context
from hub_api.once import once
from hub_api.orders import Order
from hub_api.paging import Connection, page, position
from hub_api.problems import answer
from hub_api.units import Unit

Info = strawberry.Info[Context, None]

strawberry.enum(Priority, description="How soon a piece of work is to be done.")
strawberry.enum(TaskKind, description="What is to be done with a unit.")


@strawberry.type(description="One unit that is to be picked, and where it lies.")
class Pick:
    """One unit that is to be picked."""

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
    """One thing that is to be done."""

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
            tags=orjson.loads(row["tags"] or "[]"),
            promised_on=_day(row["promised_on"]),
            unit_id=strawberry.ID(row["id"]),
        )


@strawberry.type(description="A unit under way between two of our sites: at neither it is sold.")
class Transfer:
    """A unit under way."""

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
    """What is special about an order."""

    order_id: strawberry.ID
    tags: list[str]
    promised_on: date | None
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )

    @strawberry.field(description="The order.")
    async def order(self, info: Info) -> Order:
        """Load the order."""
        return Order.of(await info.context.loaders.of(order_views.orders_by_id).load(self.order_id))


OrderPriorityResult = answer("OrderPriorityResult", OrderPriority)


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


@strawberry.type
class WorkQuery:
    """What is to be done."""

    @strawberry.field(
        description="What to pick, for an order or at a location's site: which serial at which "
        "bin, in walking order; where there is more than `first`, the most urgent.",
        metadata={"size": 50},
    )
    async def pick_list(
        self,
        info: Info,
        order_id: strawberry.ID | None = None,
        location: str | None = None,
        first: int = 50,
    ) -> list[Pick]:
        """List picks."""
        info.context.require(Scope.SCANNER)
        now = info.context.clock()

        def read(tx: Transaction) -> list[Row]:
            site = catalogue.location(tx, location)["site_id"] if location is not None else None
            if order_id is not None:
                order_lookup.order_of(tx, order_id)
            return picking.pick_list(tx, now, order_id=order_id, site_id=site, first=first)

        return [Pick.of(row) for row in await info.context.read(read)]

    @strawberry.field(
        description="What is to be done at a location's site, the most urgent first.",
        metadata={"size": 50},
    )
    async def tasks(
        self, info: Info, location: str, first: int = 50, kind: TaskKind | None = None
    ) -> list[Task]:
        """List tasks."""
        info.context.require(Scope.SCANNER)
        now = info.context.clock()

        def read(tx: Transaction) -> list[Row]:
            return tasks.tasks(tx, now, catalogue.location(tx, location), first=first, kind=kind)

        return [Task.of(row) for row in await info.context.read(read)]

    @strawberry.field(
        description="Units under way between our sites: from where, to where, since when.",
    )
    async def transfers(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        origin: str | None = None,
        destination: str | None = None,
        overdue: bool | None = None,
        overdue_hours: int = OVERDUE_HOURS,
    ) -> Connection[Transfer]:
        """List transfers; `overdue` are those under way for longer than `overdueHours`."""
        info.context.require(Scope.SCANNER, Scope.OPS)
        context = info.context.command_context()
        rows = await info.context.read(
            lambda tx: under_way(
                tx,
                context,
                first=first,
                after=position(after),
                origin=origin,
                destination=destination,
                overdue=overdue,
                overdue_hours=overdue_hours,
            )
        )
        return page(rows, first, after, Transfer.of)


@strawberry.type
class WorkMutation:
    """What is to be done first."""

    @strawberry.mutation(
        description="Say what is special about an order, such as express, and by which day it is "
        "to leave; the rules of the topic PRIORITY look at both.",
        graphql_type=OrderPriorityResult,
    )
    async def set_order_priority(
        self,
        info: Info,
        idempotency_key: str,
        order_id: strawberry.ID,
        tags: list[str],
        promised_on: date | None = None,
    ) -> OrderPriority:
        """Set both; what is left out is taken away."""
        info.context.require(Scope.OPS)

        def do(tx: Transaction, _: str) -> list[str]:
            return priorities.put(tx, order_id, tags, promised_on)

        given = [order_id, tags, promised_on]
        context = info.context.command_context()
        done = await once(info.context, context, idempotency_key, "set_order_priority", given, do)
        return OrderPriority(
            order_id=order_id, tags=done.value, promised_on=promised_on, replayed=done.replayed
        )
