"""Amazon sellers over the Selling Partner API: Orders 2026-01-01, Listings Items and Feeds.

The application needs a refresh token of the seller and the roles *Inventory and Order Tracking* and
*Product Listing* (and *Direct-to-Consumer Delivery* for orders of its own); an access token of an
hour is bought with it. Each operation has a usage plan of its own, which each answer may tell
anew; a search for orders may be made every three minutes only, so the notices of ORDER_CHANGE,
which Amazon puts into a queue of the seller's (SQS), are what makes orders come in soon.

Serials: of orders that Amazon ships they are read. What the seller ships is confirmed without them,
the contract has no field (`confirmShipment` knows transparency codes only). An Easy Ship parcel is
booked with them. With the setting `external_fulfillment` the account is one location of that
programme: its shipments are the orders, and their packages are named with serials.

Quantities are those of the seller's own stock: what Amazon keeps (FBA) is neither shown nor set.

Returns come by a report that is ordered every so often (`connectors.amazon.returns`), those of a
location of External Fulfillment by their own list (`connectors.amazon.external_returns`).

It cannot: compare and set a quantity in one step (it reads, compares and then sets), report a
shipment without a tracking number, see orders older than two years, cancel or pay back.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from connectors.amazon.external_fulfillment import ExternalFulfillment, Location
from connectors.amazon.external_inventory import LocationInventory
from connectors.amazon.external_returns import LocationReturns
from connectors.amazon.fulfillment import EasyShipParcel, fetch_order, push_fulfillment
from connectors.amazon.mapping import (
    BUDGETS,
    ITEMS,
    ORDERS,
    READER,
    SELLERS,
    changed_at,
    next_token,
    order_refs,
    parse_listing,
    parse_order,
    read_rate_limits,
    request_object,
    shipment_refs,
    sold_by_seller,
)
from connectors.amazon.messages import message_buyer
from connectors.amazon.queue import Queue, region_of
from connectors.amazon.returns import ReturnReports
from connectors.amazon.stock import (
    FEED_POLL_SECONDS,
    Shop,
    iterate_listings,
    push_levels,
)
from connectors.contract import (
    Connector,
    MessageBuyers,
    OrderRef,
    Page,
    PullOrders,
    PullReturns,
    PushedLevel,
    PushFulfillment,
    PushStock,
    QueueMessage,
    ReceiveQueue,
    SnapshotOrders,
    SnapshotStock,
)
from connectors.errors import AuthFailed, NotFound, NotOurs, Rejected
from connectors.remote import Remote, RemoteApi
from connectors.stock_levels import bound
from connectors.toolkit.accounts import account_part
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import nodes_of
from connectors.toolkit.sigv4 import SigningKey
from connectors.toolkit.tokens import Token, TokenAuth, oauth
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import (
    BuyerMessage,
    Fulfillment,
    HoldReason,
    ObservedLevel,
    Order,
    Return,
    StockLevel,
)

ORDERS_PER_PAGE = 100
KEPT = timedelta(days=729)  # Amazon shows two years of orders
SETTLED = timedelta(minutes=2, seconds=10)  # an end younger than two minutes is refused
INCLUDED = "FULFILLMENT,CANCELLATION,PROCEEDS"
QUEUE_FIELDS = ("queue_url", "queue_access_key_id", "queue_secret_access_key")
LEVELS_MAX = 100  # as many as may be looked up at once


class AmazonSettings(BaseModel):
    """One seller in one region, seen by one application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(
        HttpUrl("https://sellingpartnerapi-na.amazon.com"),
        description="…-na, …-eu or …-fe; sandbox: https://sandbox.sellingpartnerapi-na.amazon.com",
    )
    token_url: HttpUrl = HttpUrl("https://api.amazon.com/auth/o2/token")
    client_id: str = Field(min_length=1, description="Of the application: amzn1.application-oa2-…")
    client_secret: SecretStr
    refresh_token: SecretStr = Field(description="Of the seller's authorisation: Atzr|…")
    seller_id: str = Field(min_length=1, description="The merchant token: A2…")
    marketplace_ids: tuple[str, ...] = Field(min_length=1, max_length=10)
    easy_ship: EasyShipParcel | None = Field(None, description="To book Easy Ship parcels")
    external_fulfillment: ExternalFulfillment | None = Field(
        None, description="To serve the shipments of one location in place of the seller's orders"
    )
    queue_url: str | None = Field(None, pattern=r"^https?://", description="SQS, for ORDER_CHANGE")
    queue_region: str | None = Field(None, description="Where the queue's address names none")
    queue_access_key_id: str | None = None
    queue_secret_access_key: SecretStr | None = None
    returns_report_minutes: float = Field(
        60.0, ge=0, description="How often a report of returns is ordered"
    )
    feed_poll_seconds: float = Field(FEED_POLL_SECONDS, gt=0, le=30)
    calls_per_second: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _a_whole_queue(self) -> Self:
        given = [name for name in QUEUE_FIELDS if getattr(self, name) is not None]
        if given and len(given) < len(QUEUE_FIELDS):
            missing = ", ".join(name for name in QUEUE_FIELDS if name not in given)
            raise ValueError(f"a queue needs {missing} too")
        if self.queue_url and not (self.queue_region or region_of(self.queue_url)):
            raise ValueError("queue_region must name the region of the queue")
        if self.external_fulfillment and self.easy_ship:
            raise ValueError("a shipment of external_fulfillment is booked without easy_ship")
        return self


class Amazon(
    Connector[AmazonSettings],
    PullOrders,
    PullReturns,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveQueue,
    MessageBuyers,
):
    """One seller: the orders that it ships itself, and its listings by SKU."""

    states_money: ClassVar[bool] = True
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD, HoldReason.CANCELLATION_REQUESTED}
    )
    unpaid_promise_hours: ClassVar[int | None] = None  # Amazon cancels what is not paid.

    key: ClassVar[str] = "amazon"
    settings_model: ClassVar[type[BaseModel]] = AmazonSettings
    levels_max: ClassVar[int] = LEVELS_MAX
    orders_name_serials: ClassVar[bool] = True
    reports_whole_orders: ClassVar[bool] = True  # those of External Fulfillment
    stores_serials: ClassVar[bool] = False  # but for Easy Ship and External Fulfillment

    def __init__(self, settings: AmazonSettings, api: RemoteApi) -> None:
        super().__init__(settings, api)
        self._shop = Shop(
            api, settings.seller_id, settings.marketplace_ids, settings.feed_poll_seconds
        )
        self._location: Location | None = None
        if settings.external_fulfillment:
            self._location = Location(api, settings.external_fulfillment)
        self._reports = ReturnReports(
            api=api,
            marketplaces=settings.marketplace_ids,
            every=timedelta(minutes=settings.returns_report_minutes),
            poll_seconds=settings.feed_poll_seconds,
        )
        self._queue: Queue | None = None
        if settings.queue_url and settings.queue_secret_access_key:
            self._queue = Queue(
                api,
                settings.queue_url,
                settings.queue_region or region_of(settings.queue_url) or "",
                SigningKey(
                    settings.queue_access_key_id or "",
                    settings.queue_secret_access_key.get_secret_value(),
                ),
            )

    @classmethod
    def account(cls, settings: AmazonSettings) -> Sequence[str]:
        """Name the seller at each marketplace."""
        return tuple(
            account_part(settings.seller_id, marketplace)
            for marketplace in settings.marketplace_ids
        )

    @classmethod
    def remote(cls, settings: AmazonSettings) -> Remote:
        """Describe the API of the region, and how its tokens are bought."""

        def form(_: Token | None) -> dict[str, str]:
            return {
                "grant_type": "refresh_token",
                "refresh_token": settings.refresh_token.get_secret_value(),
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
            }

        exchange = oauth(str(settings.token_url), form)
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            auth=TokenAuth(exchange, header="x-amz-access-token", prefix=""),
            headers={"user-agent": "SerialHub/0.1 (Language=Python)"},
            calls_per_second=settings.calls_per_second,
            rate_limits=BUDGETS,
            rate_limit_readings=read_rate_limits,
        )

    async def check(self) -> None:
        """Buy a token; read the marketplaces, one listing and one order; look into the queue."""
        try:
            answer = await request_object(self.api, "GET", SELLERS)
            await self._shop.search(pageSize="1")
            if self._location is not None:
                await self._location.check()
            else:
                since = datetime.now(UTC) - timedelta(days=1)
                await self._search(lastUpdatedAfter=stamp(since), maxResultsPerPage="1")
        except AuthFailed as refusal:
            role = "Inventory and Order Tracking"
            if self._location is not None:
                role = "Direct to Consumer Shipping (Restricted)"
            message = f"{refusal}: it needs the roles {role} and Product Listing"
            raise AuthFailed(message) from refusal
        sells_in = {
            each["marketplace"]["id"]
            for each in answer.get("payload") or []
            if (each.get("participation") or {}).get("isParticipating")
        }
        if missing := [each for each in self.settings.marketplace_ids if each not in sells_in]:
            raise NotFound(f"the seller does not sell in {', '.join(missing)}")
        if self._queue is not None:
            await self._queue.receive(hidden_seconds=0)  # hidden from nobody: it is only a look

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders of the window of changes, which ends a little before now."""
        walk_ = IncrementalCursor.resume(cursor, datetime.now(UTC) - SETTLED)
        if self._location is not None:
            shipments, walk_, more = await self._location.pull(walk_)
            return Page(shipments.items, walk_.cursor(), more, shipments.unreadable)
        since = max(walk_.since or walk_.until - KEPT, walk_.until - KEPT)
        asked = {
            # Amazon names no order of its list: the end is fixed, and all its pages are read.
            "lastUpdatedAfter": stamp(since),
            "lastUpdatedBefore": stamp(walk_.until - timedelta(milliseconds=1)),
        }
        try:
            found, after = await self._orders(asked, walk_.after)
        except Rejected:
            if walk_.after is None:
                raise
            # A page's token lives for a day: after a longer outage the window is read anew.
            found, after = await self._orders(asked, None)
        walk_, more = walk_.step(READER.newest(found, changed_at), after)
        orders = READER.each(found, self._ours)
        return Page(orders.items, walk_.cursor(), more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns that changed: of the location, or of the report that is done."""
        now = datetime.now(UTC)
        if self._location is not None:
            return await self._returns_of_location().pull(cursor, now - SETTLED)
        return await self._reports.pull(cursor, now)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns of one shipment of the location; the report alone knows the others."""
        if self._location is not None:
            return await self._returns_of_location().of_shipment(order_ref)
        await self.read_order(order_ref)
        return ()

    async def read_order(self, ref: str) -> Order:
        """Read one order that the seller ships, or one shipment of the location."""
        if self._location is not None:
            return await self._location.read(ref)
        order = READER.one(await fetch_order(self.api, ref, INCLUDED), self._ours, ref)
        if order is None:
            raise NotOurs(f"order {ref} is shipped by Amazon, or of another marketplace")
        return order

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window, up to what Amazon shows by now."""
        until = min(until, datetime.now(UTC) - SETTLED)
        if since > until:
            return
        if self._location is not None:
            async for shipment in self._location.placed(since, until):
                yield shipment
            return
        after: str | None = None
        while True:
            asked = {"createdAfter": stamp(since), "createdBefore": stamp(until)}
            found, after = await self._orders(asked, after)
            orders = READER.each(found, self._ours)
            for order in orders.items:
                yield order
            for unreadable in orders.unreadable:
                yield unreadable
            if after is None:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield the quantity of every listing that the seller, or the location, serves."""
        if self._location is not None:
            async for level in self._inventory().snapshot(iterate_listings(self._shop)):
                yield level
            return
        async for item in iterate_listings(self._shop):
            for level in ITEMS.either(item, parse_listing):
                yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs: one by one, or in a feed where it is many."""
        able, lost = bound(levels, "sku")
        if self._location is not None:
            return [*lost, *(await self._inventory().push(able) if able else [])]
        return [*lost, *(await push_levels(self._shop, able) if able else [])]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Confirm the shipment, book the Easy Ship parcel, or name the packages of a location."""
        if self._location is not None:
            return await self._location.push_fulfillment(fulfillment)
        await push_fulfillment(self.api, fulfillment, self.settings.easy_ship)
        return f"Amazon order {fulfillment.order_ref}"

    async def message_buyer(self, message: BuyerMessage) -> str:
        """Send a message to the buyer of an order; a location's shipments have no such call."""
        if self._location is not None:
            raise Rejected("a shipment of External Fulfillment: Amazon carries no message about it")
        return await message_buyer(self.api, message)

    async def receive(self) -> Sequence[QueueMessage]:
        """Take notices from the queue of the seller, where there is one."""
        return await self._queue.receive() if self._queue is not None else []

    async def acknowledge(self, receipts: Sequence[str]) -> None:
        """Delete notices that are stored."""
        if self._queue is not None:
            await self._queue.delete(receipts)

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of an ORDER_CHANGE, or the shipment whose status changed."""
        if self._location is not None:
            return shipment_refs(topic, body, self._location.id)
        return order_refs(topic, body)

    async def _orders(
        self, asked: dict[str, str], after: str | None
    ) -> tuple[list[Any], str | None]:
        answer = await self._search(
            **asked,
            maxResultsPerPage=str(ORDERS_PER_PAGE),
            **({"paginationToken": after} if after else {}),
        )
        return nodes_of(answer, "orders", required=False), next_token(answer)

    def _inventory(self) -> LocationInventory:
        assert self._location is not None
        return LocationInventory(self.api, self._location.id)

    def _returns_of_location(self) -> LocationReturns:
        assert self._location is not None
        return LocationReturns(self.api, self._location.id, self._location.shipment)

    def _ours(self, order: Mapping[str, Any]) -> Order | None:
        """Read an order; None for one that Amazon ships, or of another marketplace."""
        ours = sold_by_seller(order, self.settings.marketplace_ids)
        return parse_order(order) if ours else None

    async def _search(self, **asked: str) -> Any:
        params = {
            "marketplaceIds": ",".join(self.settings.marketplace_ids),
            "fulfilledBy": "MERCHANT",
            "includedData": INCLUDED,
            **asked,
        }
        return await request_object(self.api, "GET", ORDERS, params=params)
