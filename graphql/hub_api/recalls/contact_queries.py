"""Queries for contacts of customers."""

import strawberry

from hub.access.keys import Scope
from hub_api.common.context import Info
from hub_api.recalls.contact_types import Person, shown


@strawberry.type
class PersonQuery:
    """Reading people."""

    @strawberry.field(description="A customer by the pseudonym that orders carry.")
    async def person(self, info: Info, ref: str) -> Person:
        info.context.require(Scope.OPS)
        return await shown(info, ref)
