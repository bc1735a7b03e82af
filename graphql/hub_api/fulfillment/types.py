"""Fulfillment: what to pick where, orders checked before they are packed or leave, collection."""

from enum import Enum
from typing import Any

import strawberry

from hub.catalogue import Picking
from hub.fulfillment.dispatch import DispatchFinding
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.units.types import Unit

USUAL_SIZE = 10


@strawberry.enum(description="The step that an order is checked for.")
class DispatchStep(Enum):
    PACK = Action.PACK.value
    SHIP = Action.SHIP.value
    COLLECT = Action.COLLECT.value


async def _units(info: Info, unit_ids: list[str]) -> list[Unit]:
    rows: list[Row | None] = [await info.context.units(each) for each in unit_ids]
    return each(Unit.of, filter(None, rows))


async def _unit(info: Info, unit_id: str) -> Unit:
    (unit,) = await _units(info, [unit_id])
    return unit


@strawberry.type(description="Result of the check for one scanned serial.")
class ScannedUnit:
    """What the check says of one serial."""

    identifier: str = strawberry.field(description="As it was read.")
    finding: DispatchFinding
    message: str
    line_id: strawberry.ID | None = strawberry.field(description="The order's line that it is for.")
    unit_id: strawberry.ID | None

    @strawberry.field(description="The unit as it is now; null if nobody knows it.")
    async def unit(self, info: Info) -> Unit | None:
        return await _unit(info, self.unit_id) if self.unit_id else None


@strawberry.type(description="An order beside what was scanned of it.")
class DispatchCheck:
    order_id: strawberry.ID
    is_whole: bool = strawberry.field(
        description="Whether the scanned units are the whole order and nothing else."
    )
    is_cancelled: bool
    lacking: int = strawberry.field(description="Units that it needs and nobody promised to it.")
    scanned: list[ScannedUnit] = strawberry.field(metadata={"size": USUAL_SIZE})
    missing_ids: strawberry.Private[list[str]]

    @classmethod
    def of(cls, told: dict[str, Any]) -> "DispatchCheck":
        """Show a check in plain values."""
        return cls(
            order_id=strawberry.ID(told["order_id"]),
            is_whole=told["whole"],
            is_cancelled=told["cancelled"],
            lacking=told["lacking"],
            scanned=[
                ScannedUnit(
                    identifier=identifier,
                    finding=DispatchFinding(finding),
                    message=message,
                    unit_id=unit_id,
                    line_id=line_id,
                )
                for identifier, finding, message, unit_id, line_id in told["scanned"]
            ],
            missing_ids=told["missing"],
        )

    @strawberry.field(
        description="Units that are promised to it and were not scanned.",
        metadata={"size": USUAL_SIZE},
    )
    async def missing(self, info: Info) -> list[Unit]:
        return await _units(info, self.missing_ids)


@strawberry.type(description="Result of packing an order.")
class OrderPacking:
    """What became of packing an order."""

    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    check: DispatchCheck
    packed_ids: strawberry.Private[list[str]]

    @strawberry.field(
        description="The units that were packed; none where the order is not whole.",
        metadata={"size": USUAL_SIZE},
    )
    async def packed(self, info: Info) -> list[Unit]:
        return await _units(info, self.packed_ids)


@strawberry.type(description="A unit that took the place of the one that was directed.")
class Substitution:
    """A unit that took the place of another."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    broken_rule: Picking | None = strawberry.field(
        description="The rule of the product by which the other unit should have left first."
    )
    picked_id: strawberry.Private[str]
    released_id: strawberry.Private[str]

    @strawberry.field(description="The unit that was picked.")
    async def picked(self, info: Info) -> Unit:
        return await _unit(info, self.picked_id)

    @strawberry.field(description="The unit that was directed, and is free again.")
    async def released(self, info: Info) -> Unit:
        return await _unit(info, self.released_id)


@strawberry.type(description="A unit that came back, and the one that was given for it.")
class Exchange:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    returned_id: strawberry.Private[str]
    given_id: strawberry.Private[str]

    @strawberry.field(description="The unit that came back.")
    async def returned(self, info: Info) -> Unit:
        return await _unit(info, self.returned_id)

    @strawberry.field(description="The unit that was given for it.")
    async def given(self, info: Info) -> Unit:
        return await _unit(info, self.given_id)
