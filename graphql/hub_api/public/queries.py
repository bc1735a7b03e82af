"""Queries for trusted documents."""

import strawberry

from hub.access import trusted_documents
from hub.access.keys import Scope
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.public.types import TrustedDocument


@strawberry.type
class PublicQuery:
    """Reading what web pages may ask."""

    @strawberry.field(description="Trusted documents, by name, then the newest first.")
    async def trusted_documents(self, info: Info) -> list[TrustedDocument]:
        info.context.require(Scope.ADMIN)
        return each(TrustedDocument.of, await info.context.read(trusted_documents.listed))
