"""Mutations for unserialized stock."""

from typing import Annotated, Union

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.inbound import serialization
from hub.inbound import unserialized_stock as unserialized_stock
from hub.inbound.unserialized_stock import Phase, UnserializedQuantity
from hub.ledger.event_writer import Verdict
from hub_api.common.command_inputs import (
    ArrivalInput,
    CommandContextInput,
    arrivals_of,
    plain_arrivals,
)
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import AnyProblem, NotEnoughStock
from hub_api.inbound.unserialized_types import (
    ProductStockInput,
    TrackingStarted,
    UnserializedStockInput,
)
from hub_api.units.results import CommandOutcome, CommandResult, command

StartTrackingResult = Annotated[
    Union[TrackingStarted, AnyProblem, NotEnoughStock],  # noqa: UP007 # of a computed union
    strawberry.union("StartTrackingResult"),
]


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
