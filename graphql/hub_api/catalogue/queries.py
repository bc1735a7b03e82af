"""Queries for catalogue."""

from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.errors import InvalidInput
from hub.ledger import unit_views
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.sync import listing_views, listings
from hub_api.catalogue.types import Availability, ChannelStock, Location, LocationStock, Product
from hub_api.common.context import Info
from hub_api.engine.stored import each

SKUS_MAX = 200


@strawberry.type
class CatalogueQuery:
    """Reading the catalogue."""

    @strawberry.field(description="Where products are available and what each channel shows.")
    async def availability(self, info: Info, skus: list[str]) -> list[Availability]:
        """Count units; nothing is asked of a channel."""
        info.context.require(Scope.STOREFRONT)
        if len(skus) > SKUS_MAX:
            raise InvalidInput(f"at most {SKUS_MAX} SKUs at once", field="skus")
        now = info.context.clock()
        return await info.context.read(lambda tx: _availability(tx, skus, now))

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

    @strawberry.field(description="All places, by code.")
    async def locations(self, info: Info) -> list[Location]:
        info.context.require(Scope.SCANNER, Scope.POS, Scope.OPS)
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM location ORDER BY code LIMIT 10000")
        )
        return each(Location.of, rows)


def _availability(tx: Transaction, skus: list[str], now: datetime) -> list[Availability]:
    places, channels = unit_views.stock(tx, skus), listing_views.shown(tx, skus)
    desired = _desired(tx, [row for rows in channels.values() for row in rows], now)
    return [
        Availability(
            sku=sku,
            available=sum(row["available"] for row in places[sku]),
            locations=[
                LocationStock(
                    location=row["code"],
                    name=row["name"],
                    available=row["available"],
                    promised=row["promised"],
                    blocked=row["blocked"],
                    units=row["units"],
                )
                for row in places[sku]
            ],
            channels=[_channel_stock(row, desired) for row in channels[sku]],
        )
        for sku in skus
    ]


def _desired(tx: Transaction, rows: list[Row], now: datetime) -> dict[tuple[str, str], int]:
    """Count what each channel is to show of each product: one count for each channel."""
    by_channel: dict[str, list[Row]] = {}
    for row in rows:
        by_channel.setdefault(row["id"], []).append(row)
    return {
        (channel_id, product_id): count
        for channel_id, listed in by_channel.items()
        for product_id, count in listings.available(
            tx, listed[0], [row["product_id"] for row in listed], now
        ).items()
    }


def _channel_stock(row: Row, desired: dict[tuple[str, str], int]) -> ChannelStock:
    return ChannelStock(
        channel=row["code"],
        name=row["name"],
        desired=desired[row["id"], row["product_id"]],
        acknowledged=row["acknowledged"],
        acknowledged_at=moment(row["acknowledged_at"]) if row["acknowledged_at"] else None,
        observed=row["observed"],
        observed_at=moment(row["observed_at"]) if row["observed_at"] else None,
        is_pending=row["wanted_version"] > row["done_version"] and row["level"] == "live",
        last_error=row["last_error"],
    )
