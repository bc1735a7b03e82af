"""Queries for catalogue."""

import strawberry

from hub.access.keys import Scope
from hub.catalogue import manufacturers
from hub.storage import paging
from hub_api.catalogue.types import Location, Manufacturer, Product
from hub_api.common.context import Info
from hub_api.engine.stored import each


@strawberry.type
class CatalogueQuery:
    """Reading the catalogue."""

    @strawberry.field(description="All products, by SKU.")
    async def products(self, info: Info, first: int = 100, after_sku: str = "") -> list[Product]:
        info.context.require(Scope.STOREFRONT)
        rows = await info.context.read(
            lambda tx: tx.rows(
                "SELECT product.*, COALESCE(product.serial_pattern, manufacturer.serial_pattern) "
                "AS serial_pattern, manufacturer.code AS maker_code, "
                "manufacturer.name AS maker_name FROM product "
                "JOIN manufacturer ON manufacturer.id = product.manufacturer_id "
                "WHERE product.sku > :after ORDER BY product.sku LIMIT :limit",
                after=after_sku,
                limit=paging.page_size(first),
            )
        )
        return each(Product.of, rows)

    @strawberry.field(description="All manufacturers, by code.")
    async def manufacturers(self, info: Info) -> list[Manufacturer]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        rows = await info.context.read(manufacturers.every)
        return [Manufacturer(code=row["code"], name=row["name"]) for row in rows]

    @strawberry.field(description="All places, by code.")
    async def locations(self, info: Info) -> list[Location]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM location ORDER BY code LIMIT 10000")
        )
        return each(Location.of, rows)
