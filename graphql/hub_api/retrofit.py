"""Serialization: serial tracking for products that have stock already, phase by phase."""

from datetime import datetime
from typing import Annotated, Any, Union

import orjson
import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import Tracking, Trait
from hub.clock import moment
from hub.commands.work import Work
from hub.inbound import serialization
from hub.inbound import unserialized_stock as unserialized_stock
from hub.inbound.unserialized_stock import Phase, SerializationOrder, UnserializedQuantity
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Row
from hub_api.command import (
    ArrivalInput,
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    arrivals_of,
    command,
    plain_arrivals,
)
from hub_api.context import Context
from hub_api.once import once
from hub_api.paging import Connection, page, position
from hub_api.problems import AnyProblem, NotEnoughStock

Info = strawberry.Info[Context, None]

strawberry.enum(SerializationOrder, description="What makes a product come first.")


@strawberry.input(description="How much of a product is at a place, without its serials.")
class UnserializedStockInput:
    """How much there is at a place."""

    location: str
    quantity: int


@strawberry.input(description="How much of one product is at a place, without its serials.")
class ProductStockInput:
    """How much there is of a product at a place."""

    sku: str
    location: str
    quantity: int


@strawberry.type(description="Units of a product at a place whose serials were not read yet.")
class UnserializedStock:
    """Old stock."""

    id: strawberry.ID
    sku: str
    name: str
    location: str
    quantity: int = strawberry.field(
        description="Counted apart: none of them is available before its serial is read."
    )
    reason: str
    changed_at: datetime
    tracked_since: datetime | None

    @classmethod
    def of(cls, row: Row) -> "UnserializedStock":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            sku=row["sku"],
            name=row["name"],
            location=row["code"],
            quantity=row["quantity"],
            reason=row["reason"],
            changed_at=moment(row["changed_at"]),
            tracked_since=_moment(row["tracked_since"]),
        )


@strawberry.type(description="A product whose serials are still to be read.")
class SerializationPriority:
    """A product whose serials are still to be read."""

    sku: str
    name: str
    category: str | None
    value: int | None = strawberry.field(description="Of one unit, in the smallest part.")
    currency: str | None
    traits: list[Trait]
    unread: int = strawberry.field(description="Units without a serial, as far as stated.")
    tracking: Tracking
    tracked_since: datetime | None = strawberry.field(
        description="Null: its serials are not kept yet."
    )

    @classmethod
    def of(cls, row: Row) -> "SerializationPriority":
        """Show a row."""
        return cls(
            sku=row["sku"],
            name=row["name"],
            category=row["category"],
            value=row["value"],
            currency=row["currency"],
            traits=[Trait(each) for each in orjson.loads(row["traits"])],
            unread=int(row["unread"]),
            tracking=Tracking(row["tracking"]),
            tracked_since=_moment(row["tracked_since"]),
        )


@strawberry.type(description="Products whose serials are kept from now on.")
class TrackingStarted:
    """Products that are tracked."""

    skus: list[str]
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )


StartTrackingResult = Annotated[
    Union[TrackingStarted, AnyProblem, NotEnoughStock],  # noqa: UP007 # of a computed union
    strawberry.union("StartTrackingResult"),
]


def _moment(value: Any) -> datetime | None:
    return None if value is None else moment(value)


@strawberry.type
class SerializationQuery:
    """Reading old stock."""

    @strawberry.field(description="Old stock, by product and place: units without a serial.")
    async def unserialized_stock(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        sku: str | None = None,
        location: str | None = None,
    ) -> Connection[UnserializedStock]:
        """List old stock."""
        info.context.require(Scope.SCANNER, Scope.OPS)
        rows = await info.context.read(
            lambda tx: unserialized_stock.listed(
                tx, first=first, after=position(after), sku=sku, location=location
            )
        )
        return page(rows, first, after, UnserializedStock.of)

    @strawberry.field(
        description="Products whose serials are still to be read, the most urgent first."
    )
    async def retrofit_priorities(
        self,
        info: Info,
        by: SerializationOrder = SerializationOrder.RISK,
        first: int = 50,
        skip: int = 0,
    ) -> list[SerializationPriority]:
        """List what to do first."""
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: unserialized_stock.priorities(tx, by, first=first, skip=skip)
        )
        return [SerializationPriority.of(row) for row in rows]


@strawberry.type
class SerializationMutation:
    """Switching serial tracking on."""

    @strawberry.mutation(
        description="Keep the serials of a product from now on, and state how much of it is at "
        "each place. Stated again, the stock of a place can only become less.",
        graphql_type=StartTrackingResult,
    )
    async def start_tracking(
        self,
        info: Info,
        idempotency_key: str,
        sku: str,
        reason: str,
        stock: list[UnserializedStockInput] | None = None,
    ) -> TrackingStarted:
        """Start with one product."""
        info.context.require(Scope.OPS)
        there = [
            UnserializedQuantity(sku=sku, location=each.location, quantity=each.quantity)
            for each in stock or []
        ]
        context = info.context.command_context(reason=reason)
        given = [sku, reason, [[each.location, each.quantity] for each in there]]
        done = await once(
            info.context,
            context,
            idempotency_key,
            "start_tracking",
            given,
            lambda tx, _: unserialized_stock.start(tx, context, sku, there),
        )
        return TrackingStarted(skus=done.value, replayed=done.replayed)

    @strawberry.mutation(
        description="Keep the serials of all products of a category, or from a value on, whose "
        "serials are not kept yet; and state how much of them is where.",
        graphql_type=StartTrackingResult,
    )
    async def start_tracking_phase(
        self,
        info: Info,
        idempotency_key: str,
        reason: str,
        category: str | None = None,
        value_from: int | None = None,
        currency: str | None = None,
        stock: list[ProductStockInput] | None = None,
    ) -> TrackingStarted:
        """Start with a category, or with what is worth most."""
        info.context.require(Scope.OPS)
        there = [UnserializedQuantity(**vars(each)) for each in stock or []]
        phase = Phase(category=category, value_from=value_from, currency=currency)
        context = info.context.command_context(reason=reason)
        given = [
            reason,
            [category, value_from, currency],
            [[each.sku, each.location, each.quantity] for each in there],
        ]
        done = await once(
            info.context,
            context,
            idempotency_key,
            "start_tracking_phase",
            given,
            lambda tx, _: unserialized_stock.start_phase(tx, context, phase, there),
        )
        return TrackingStarted(skus=done.value, replayed=done.replayed)

    @strawberry.mutation(
        description="Read the serials of old stock where it lies: each unit gets its record, and "
        "there is one less without a serial.",
        graphql_type=CommandOutcome,
    )
    async def capture_unserialized_stock(
        self,
        info: Info,
        idempotency_key: str,
        units: list[ArrivalInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Capture old stock; it is in stock where it was."""
        info.context.require(Scope.SCANNER)
        arrivals = arrivals_of(units)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return serialization.capture_units(work, arrivals, place)

        given = [plain_arrivals(arrivals), location, vars(context) if context else None]
        return await command(
            info, idempotency_key, "capture_unserialized_stock", given, context, do
        )
