"""What a unit says of the client whose goods it is."""

import strawberry

from hub import clients
from hub.access.keys import Scope
from hub_api.common.context import Info


@strawberry.type
class ClientFacts:
    """A part of `Unit`."""

    client_id: strawberry.Private[str | None]

    @strawberry.field(description="The code of the client whose goods it is; null: our own.")
    async def client(self, info: Info) -> str | None:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS, Scope.CLIENT)
        if self.client_id is None:
            return None
        code: str | None = await info.context.loaders.of(clients.codes).load(self.client_id)
        return code
