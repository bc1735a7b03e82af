"""Service: activation, registration, further cover, repairs of customers' own units."""

from enum import Enum

import strawberry

from hub.after_sales.cover import CoverKind
from hub.after_sales.repairs import WorkKind
from hub_api.common.context import Info
from hub_api.units.types import Unit


@strawberry.input(description="A part that was replaced; serials where it has them.")
class ReplacedPartInput:
    part: str
    quantity: int = 1
    serial_out: str | None = None
    serial_in: str | None = None


@strawberry.input(description="Work that was done on a unit.")
class WorkInput:
    kind: WorkKind
    work: str
    technician: str | None = None
    parts: list[ReplacedPartInput] = strawberry.field(default_factory=list)
    cost: int | None = strawberry.field(
        description="In the smallest part of `currency`.", default=None
    )
    currency: str | None = strawberry.field(description="ISO 4217.", default=None)


@strawberry.enum(description="A cover that is attached to a unit.")
class GrantedCover(Enum):
    EXTENDED_WARRANTY = CoverKind.EXTENDED_WARRANTY.value
    SERVICE_AGREEMENT = CoverKind.SERVICE_AGREEMENT.value


@strawberry.type(description="A unit whose cover was changed.")
class CoverChanged:
    cover_id: strawberry.ID = strawberry.field(description="Id of the cover.")
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    unit_id: strawberry.Private[str]

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # a cover has a unit, and units are never deleted
        return Unit.of(row)
