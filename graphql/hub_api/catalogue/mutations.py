"""Mutations for catalogue."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import (
    LocationCard,
    ManufacturerCard,
    ProductCard,
)
from hub.identifiers import serials
from hub.storage.sql import Transaction
from hub_api.catalogue.types import CatalogueChanged, LocationInput, ManufacturerInput, ProductInput
from hub_api.common.context import Info
from hub_api.common.problems import answer


@strawberry.type
class CatalogueMutation:
    """Changing the catalogue."""

    @strawberry.mutation(
        description="Register manufacturers, products and locations: all of them, or none.",
        graphql_type=answer("RegisterCatalogueResult", CatalogueChanged),
    )
    async def register_catalogue(
        self,
        info: Info,
        manufacturers: list[ManufacturerInput] | None = None,
        products: list[ProductInput] | None = None,
        locations: list[LocationInput] | None = None,
    ) -> CatalogueChanged:
        """Register what the hub works with. Repeating it changes nothing."""
        info.context.require(Scope.ADMIN)
        context = info.context.command_context()

        def work(tx: Transaction) -> CatalogueChanged:
            for maker in manufacturers or []:
                serials.check_pattern(maker.serial_pattern or "")
                catalogue.register_manufacturer(tx, context, ManufacturerCard(**vars(maker)))
            for product in products or []:
                serials.check_pattern(product.serial_pattern or "")
                catalogue.register_product(tx, context, ProductCard(**vars(product)))
            for place in locations or []:
                catalogue.register_location(tx, context, LocationCard(**vars(place)))
            return CatalogueChanged(
                manufacturers=tx.value("SELECT COUNT(*) FROM manufacturer"),
                products=tx.value("SELECT COUNT(*) FROM product"),
                locations=tx.value("SELECT COUNT(*) FROM location"),
            )

        return await info.context.write(work)
