"""Queries of shops: stock, the reservation of a cart, the status of an order."""

from collections.abc import Sequence
from datetime import date, datetime

import strawberry

from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub.ledger import unit_views
from hub.ledger.arrivals import Condition
from hub.ledger.unit_views import StockRow
from hub.storage.sql import Row, Transaction
from hub.storefront import carts, order_status, shoppers, stock
from hub.storefront.stock import Band, Stock
from hub.sync import listing_views, listings
from hub_api.catalogue.types import (
    USUAL_CHANNELS,
    USUAL_PLACES,
    ChannelStock,
    LocationStock,
)
from hub_api.common.context import Info
from hub_api.storefront.columns import AVAILABILITY_SOURCE, SKUS_MAX
from hub_api.storefront.types import (
    ConditionStock,
    OrderStatus,
    PreOrder,
    Reservation,
    SiteStock,
    day,
)

STAFF = (Scope.SCANNER, Scope.POS, Scope.OPS)


@strawberry.type(description="How much of a product the storefront may sell, and where.")
class Availability:
    sku: str = strawberry.field(description="Our SKU.")
    condition: Condition = strawberry.field(
        description="Condition of what is counted: as asked, else NEW where the shop sells it."
    )
    band: Band = strawberry.field(description="How much there is.")
    available: int | None = strawberry.field(
        description="Exact number that a cart could reserve now; null without the scope "
        "`quantities`."
    )
    sites: list[SiteStock] = strawberry.field(
        description="Sites that have any of it.", metadata={"size": USUAL_PLACES}
    )
    conditions: list[ConditionStock] = strawberry.field(
        description="The same by condition: units of two conditions are never added up.",
        metadata={"size": 4},
    )
    pre_order: PreOrder | None = strawberry.field(
        description="Units that may be sold before they arrive; null where none may."
    )
    next_arrival: date | None = strawberry.field(
        description="Day of the next announced delivery; null where none is announced."
    )

    @classmethod
    def of(cls, found: Stock, *, exact: bool) -> "Availability":
        """Show the stock of a SKU, with numbers if the caller may see them."""
        early = PreOrder(
            cap=found.pre_order_cap if exact else None, left=found.pre_order_left if exact else None
        )
        return cls(
            sku=found.sku,
            condition=Condition(found.condition),
            band=found.band,
            available=found.available if exact else None,
            sites=[
                SiteStock(
                    site=each.site,
                    name=each.name,
                    band=each.band,
                    available=each.available if exact else None,
                )
                for each in found.sites
            ],
            conditions=[
                ConditionStock(
                    condition=Condition(each.condition),
                    band=each.band,
                    available=each.available if exact else None,
                )
                for each in found.conditions
            ],
            pre_order=early if found.pre_order_cap else None,
            next_arrival=day(found.next_arrival),
        )

    @strawberry.field(
        description="Units by place, for staff; null without a scope of theirs.",
        metadata={"size": USUAL_PLACES},
    )
    async def locations(self, info: Info) -> list[LocationStock] | None:
        if not _is_staff(info):
            return None
        now = info.context.clock()

        def stock_by_sku(tx: Transaction, skus: list[str]) -> dict[str, list[StockRow]]:
            return unit_views.stock(tx, skus, now)

        rows = await info.context.loaders.of(stock_by_sku).load(self.sku)
        return [_place(row) for row in rows]

    @strawberry.field(
        description="Levels by channel, for staff; null without a scope of theirs.",
        metadata={"size": USUAL_CHANNELS},
    )
    async def channels(self, info: Info) -> list[ChannelStock] | None:
        if not _is_staff(info):
            return None
        now = info.context.clock()

        def channels_by_sku(tx: Transaction, skus: list[str]) -> dict[str, list[ChannelStock]]:
            return _channels(tx, skus, now)

        found: list[ChannelStock] = await info.context.loaders.of(channels_by_sku).load(self.sku)
        return found


@strawberry.type
class StorefrontQuery:
    """Reading as a shop."""

    @strawberry.field(
        description="Stock that a shop may sell, by SKU as asked; null for an unknown SKU.",
        metadata={"cost": 5, "direct": AVAILABILITY_SOURCE},
    )
    async def availability(
        self,
        info: Info,
        skus: list[str],
        site: str | None = None,
        condition: Condition | None = None,
    ) -> list[Availability | None]:
        """Count units; nothing is asked of a channel."""
        info.context.require(Scope.STOREFRONT)
        if len(skus) > SKUS_MAX:
            raise InvalidInput(f"at most {SKUS_MAX} SKUs at once", field="skus")
        now, wanted = info.context.clock(), None if condition is None else str(condition)
        found = await info.context.read(
            lambda tx: stock.of_skus(tx, skus, now, site=site, condition=wanted)
        )
        exact = info.context.caller.may(Scope.QUANTITIES)
        return [None if each is None else Availability.of(each, exact=exact) for each in found]

    @strawberry.field(
        description="Reservation of a cart of the caller; null: there is none. A key with the "
        "scope `override` sees the carts of others too.",
        metadata={"cost": 3},
    )
    async def reservation(self, info: Info, cart: str) -> Reservation | None:
        info.context.require(Scope.CARTS, Scope.POS)
        context = info.context.command_context()
        cart = shoppers.checked_cart(info.context.caller, cart)
        units = await info.context.read(lambda tx: carts.held(tx, context, cart))
        return Reservation.of(cart, units, context.now)

    @strawberry.field(
        description="How far an order is, for whoever has its public token; null for any other "
        "text.",
        metadata={"cost": 100},
    )
    async def order_status(self, info: Info, token: str) -> OrderStatus | None:
        """Look an order up; the cost keeps anybody from trying many tokens."""
        info.context.require(Scope.STOREFRONT)
        found = await info.context.read(lambda tx: order_status.by_token(tx, token))
        return None if found is None else OrderStatus.of(found)


def _is_staff(info: Info) -> bool:
    return any(info.context.caller.may(scope) for scope in STAFF)


def _place(row: StockRow) -> LocationStock:
    return LocationStock(
        location=row["code"],
        name=row["name"],
        available=row["available"],
        promised=row["promised"],
        blocked=row["blocked"],
        units=row["units"],
    )


def _channels(tx: Transaction, skus: Sequence[str], now: datetime) -> dict[str, list[ChannelStock]]:
    """Return what each channel is to show and shows: one count for each channel."""
    shown = listing_views.shown(tx, skus)
    by_channel: dict[str, list[Row]] = {}
    for rows in shown.values():
        for row in rows:
            by_channel.setdefault(row["id"], []).append(row)
    desired = {
        (channel_id, product_id): count
        for channel_id, listed in by_channel.items()
        for product_id, count in listings.available(
            tx, listed[0], [row["product_id"] for row in listed], now
        ).items()
    }
    return {
        sku: [ChannelStock.of(row, desired[row["id"], row["product_id"]]) for row in rows]
        for sku, rows in shown.items()
    }
