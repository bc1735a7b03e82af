"""What a unit says of the time before its serial was read."""

import strawberry

from hub.inbound import serialization
from hub.ledger.arrivals import RecordOrigin
from hub_api.common.context import Info


@strawberry.type
class SerializationFacts:
    """A part of `Unit`."""

    id: strawberry.ID

    @strawberry.field(
        description="Part of the history that is unknown because the unit was stock before its "
        "serial was read."
    )
    async def history_gap(self, info: Info) -> str | None:
        """Say what its history lacks; null if its record is whole."""
        if getattr(self, "origin", None) is not RecordOrigin.UNSERIALIZED_STOCK:
            return None
        gap: str | None = await info.context.loaders.of(serialization.gaps).load(str(self.id))
        return gap
