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
)
from hub_api.common.commands import Call, command
from hub_api.common.long_work import MANY, in_thread_if
from hub_api.common.problems import AnyProblem, NotEnoughStock
from hub_api.inbound.unserialized_types import (
    ProductStockInput,
    TrackingStarted,
    UnserializedStockInput,
)
from hub_api.units.results import CommandOutcome, CommandResult, record_units

StartTrackingResult = Annotated[
    Union[TrackingStarted, AnyProblem, NotEnoughStock],  # noqa: UP007 # of a computed union
    strawberry.union("StartTrackingResult"),
]


@strawberry.type
class SerializationMutation:
    """Switching serial tracking on."""

    @command(
        Scope.OPS,
        description="Keep the serials of a product from now on, and state how much of it is at "
        "each place. Stated again, the stock of a place can only become less.",
        result=StartTrackingResult,
    )
    async def start_tracking(
        self,
        call: Call,
        sku: str,
        reason: str,
        stock: list[UnserializedStockInput] | None = None,
    ) -> TrackingStarted:
        there = [
            UnserializedQuantity(sku=sku, location=each.location, quantity=each.quantity)
            for each in stock or []
        ]
        context = call.context.command_context(reason=reason)

        done = await call.once(
            context, lambda work: unserialized_stock.start(work.tx, context, sku, there)
        )
        return TrackingStarted(skus=done.value, replayed=done.replayed)

    @command(
        Scope.OPS,
        description="Keep the serials of all products of a category, or from a value on, whose "
        "serials are not kept yet; and state how much of them is where.",
        result=StartTrackingResult,
    )
    async def start_tracking_phase(
        self,
        call: Call,
        reason: str,
        category: str | None = None,
        value_from: int | None = None,
        currency: str | None = None,
        stock: list[ProductStockInput] | None = None,
    ) -> TrackingStarted:
        """Start with a category, or with what is worth most."""
        there = [UnserializedQuantity(**vars(each)) for each in stock or []]
        phase = Phase(category=category, value_from=value_from, currency=currency)
        context = call.context.command_context(reason=reason)

        done = await call.once(
            context, lambda work: unserialized_stock.start_phase(work.tx, context, phase, there)
        )
        return TrackingStarted(skus=done.value, replayed=done.replayed)

    @command(
        Scope.SCANNER,
        description="Read serials of unserialized stock in its place: each unit gets its record, "
        "and there is one less without a serial.",
        result=CommandOutcome,
    )
    async def capture_unserialized_stock(
        self,
        call: Call,
        units: list[ArrivalInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Read serials of unserialized stock; the units stay in stock where they are."""
        arrivals = await in_thread_if(len(units) > MANY, lambda: arrivals_of(units))

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return serialization.capture_units(work, arrivals, place)

        return await record_units(call, context, do)
