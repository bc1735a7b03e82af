"""Further names of units, linked and retired; advice which products to follow by serial."""

import strawberry

from hub_api.common.context import Info
from hub_api.units.types import Unit


@strawberry.type(description="A further name of a unit was linked or retired.")
class NameChanged:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    version: int = strawberry.field(
        description="Version of the unit after the event of the change."
    )
    unit_id: strawberry.Private[str]

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was found, and units are never deleted
        return Unit.of(row)
