"""Mutations for catalogue."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import (
    LocationCard,
    ManufacturerCard,
    ProductCard,
)
from hub.commands.work import Work
from hub.identifiers import serials
from hub.recalls import serial_periods
from hub_api.catalogue.types import CatalogueChanged, LocationInput, ManufacturerInput, ProductInput
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer


@strawberry.type
class CatalogueMutation:
    """Changing the catalogue."""

    @command(
        Scope.ADMIN,
        description="Register manufacturers, products and locations: all of them, or none.",
        result=answer("RegisterCatalogueResult", CatalogueChanged),
    )
    async def register_catalogue(
        self,
        call: Call,
        manufacturers: list[ManufacturerInput] | None = None,
        products: list[ProductInput] | None = None,
        locations: list[LocationInput] | None = None,
    ) -> CatalogueChanged:
        """Register what the hub works with. Repeating it changes nothing."""
        context = call.context.command_context()

        def do(work: Work) -> dict[str, int]:
            tx = work.tx
            for maker in manufacturers or []:
                serials.check_pattern(maker.serial_pattern or "")
                if maker.serial_period is not None:
                    serial_periods.check_rule(maker.serial_period)
                catalogue.register_manufacturer(tx, context, ManufacturerCard(**vars(maker)))
            for product in products or []:
                serials.check_pattern(product.serial_pattern or "")
                catalogue.register_product(tx, context, ProductCard(**vars(product)))
            for place in locations or []:
                catalogue.register_location(tx, context, LocationCard(**vars(place)))
            return {
                "manufacturers": tx.value("SELECT COUNT(*) FROM manufacturer"),
                "products": tx.value("SELECT COUNT(*) FROM product"),
                "locations": tx.value("SELECT COUNT(*) FROM location"),
            }

        return CatalogueChanged(**(await call.once(context, do)).value)
