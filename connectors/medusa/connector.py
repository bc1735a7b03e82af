"""Medusa v2 shops over the Admin REST API (contract of April 2025; truths seen on 2.21.2).

The secret API key belongs to a user of the admin; it is sent as Basic authentication. Medusa
itself has no rate limit and no header for one. It has no webhooks of its own either: a few lines of
subscriber post the data of an event (``{"id": ...}`` or ``{"order_id": ...}``) with the headers
``x-hub-signature`` (hex HMAC-SHA256 of the body), ``x-hub-delivery`` and ``x-hub-topic``.

Orders are sorted by ``updated_at`` and paged by that time. Medusa ignores filters that it does not
know and then gives the whole shop; so every page is checked against what was asked. ``updated_at``
does not move when a payment is captured: an order counts as open once it is authorised. A quantity
is what is stocked less what is reserved. Serials go out as ``metadata`` of the fulfillment.

Returns and refunds are read with their order (`connectors.medusa.returns`); received returns of the
last 90 days are looked at in turn, because a refund need not move a time of change.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), or ship one
fulfillment from several locations, or cancel an order whose payment was captured: Medusa refuses
before it was paid back. A return that is received restocks by itself.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contact_fields import full_name, shown_contact
from connectors.contract import (
    CancelOrders,
    Connector,
    PullOrders,
    PullReturns,
    PushFulfillment,
    PushStock,
    ReadContacts,
    ReceiveWebhooks,
    SnapshotOrders,
    SnapshotStock,
)
from connectors.errors import AuthFailed, NotFound, NotOurs, Rejected
from connectors.exchanged import OrderRef, Page, PushedLevel, WebhookCall
from connectors.medusa.fulfillment import push_fulfillment
from connectors.medusa.mapping import (
    ITEMS,
    LEVEL_FIELDS,
    ORDER_FIELDS,
    ORDERS,
    changed_at,
    order_refs,
    parse_level,
    parse_order,
    placed_at,
)
from connectors.medusa.refunds import refund_order
from connectors.medusa.returns import (
    REFUNDED_FIELDS,
    RETURNS,
    join_cursor,
    read_returns,
    received_returns,
    split_cursor,
)
from connectors.medusa.stock import push_levels
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.accounts import account_part, address_of
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import child, nodes_of, object_field, text
from connectors.toolkit.keyset_pages import KeysetPosition
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Record
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import (
    Cancellation,
    Contact,
    Fulfillment,
    HoldReason,
    LineKind,
    ObservedLevel,
    Order,
    Refund,
    Return,
    StockLevel,
)

ORDERS_PER_PAGE = 50
ITEMS_PER_PAGE = 100
CLOCK_GRAIN = timedelta(milliseconds=1)  # times are stamped in milliseconds
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


class MedusaSettings(BaseModel):
    """One shop and one of its stock locations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(description="https://shop.example, without /admin")
    api_key: SecretStr
    webhook_secret: SecretStr
    stock_location_id: str = Field(min_length=1)
    sales_channel_ids: tuple[str, ...] = Field(
        (), description="sc_…: take only what was sold there; empty takes all"
    )
    calls_per_second: float = Field(8.0, gt=0)


class Medusa(
    Connector[MedusaSettings],
    PullOrders,
    PullReturns,
    CancelOrders,
    RefundOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReadContacts,
):
    """One shop: its orders, and the stock of one location."""

    shows_serials: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset(
        {LineKind.DIGITAL, LineKind.GIFT_CARD}
    )
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.REFUNDED}
    )
    states_drafts: ClassVar[bool] = True

    key: ClassVar[str] = "medusa"
    settings_model: ClassVar[type[BaseModel]] = MedusaSettings
    pages_shrink: ClassVar[bool] = True
    refunds_name_lines: ClassVar[bool] = False
    levels_max: ClassVar[int] = 50

    @classmethod
    def account(cls, settings: MedusaSettings) -> Sequence[str]:
        """Name the shop at each sales channel, or at all."""
        shop = address_of(settings.base_url)
        return tuple(account_part(shop, each) for each in settings.sales_channel_ids or ("",))

    @classmethod
    def remote(cls, settings: MedusaSettings) -> Remote:
        """Describe the admin API of the shop."""
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            auth=(settings.api_key.get_secret_value(), ""),
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read the location, and prove that the filter of the orders filters."""
        location = quote(self.settings.stock_location_id, safe="")
        try:
            path = f"/admin/stock-locations/{location}"
            await self.api.json_object("GET", path, params={"fields": "id"})
        except NotFound as refusal:
            raise NotFound(f"{refusal}: check stock_location_id and base_url") from refusal
        except AuthFailed as refusal:
            raise AuthFailed(f"{refusal}: a secret API key is needed") from refusal
        await self._orders("updated_at", datetime.now(UTC) + timedelta(days=1), None, 0, limit=1)

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change."""
        found, next_cursor, more = await self._changed_orders(cursor)
        orders = ORDERS.each(found, self._ours)
        return Page(orders.items, next_cursor, more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns of the next changed orders, then of some that are received."""
        changed, looked = split_cursor(cursor)
        found, changed, more = await self._changed_orders(changed, REFUNDED_FIELDS)
        if not more:
            refs, looked = await received_returns(self.api, looked, datetime.now(UTC))
            known = {each.get("id") for each in found if isinstance(each, dict)}
            found += [await self._raw_order(ref) for ref in refs if ref not in known]
        of_orders = await RETURNS.each_async(found, self._returns)
        returns = tuple(each for some in of_orders.items for each in some)
        return Page(returns, join_cursor(changed, looked), more, of_orders.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns and refunds of one order."""
        order = await self._raw_order(order_ref)
        return await RETURNS.one_async(order, self._returns, order_ref)

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order, unless it is cancelled."""
        order = await self._raw_order(cancellation.order_ref)
        if order.get("status") != "canceled":
            path = f"/admin/orders/{quote(cancellation.order_ref, safe='')}/cancel"
            await self.api.json_object("POST", path)
        return f"Medusa order {order.get('display_id') or cancellation.order_ref}"

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the captured payments of the order."""
        return await refund_order(self.api, refund)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read the address that an order was placed with."""
        path = f"/admin/orders/{quote(order_ref, safe='')}"
        params = {"fields": "id,email,*shipping_address,*billing_address"}
        answer = await self.api.json_object("GET", path, params=params)
        return ORDERS.one(object_field(answer, "order"), _contact, order_ref)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its id."""
        path, params = f"/admin/orders/{quote(ref, safe='')}", {"fields": ORDER_FIELDS}
        answer = await self.api.json_object("GET", path, params=params)
        order = ORDERS.one(object_field(answer, "order"), self._ours, ref)
        if order is None:
            raise NotOurs(f"order {ref} belongs to another sales channel")
        return order

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        skip, found = 0, list[Any]()
        while skip == 0 or len(found) == ORDERS_PER_PAGE:
            found = await self._orders("created_at", since, until, skip)
            orders = ORDERS.each(found, self._ours)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable
            skip += len(found)
            if not found:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what is available of every item that the location keeps."""
        skip, found = 0, list[Any]()
        parse = partial(parse_level, location=self.settings.stock_location_id)
        while skip == 0 or len(found) == ITEMS_PER_PAGE:
            params = {"fields": LEVEL_FIELDS, "limit": ITEMS_PER_PAGE, "offset": skip}
            answer = await self.api.json_object(
                "GET", "/admin/inventory-items", params={**params, "order": "id"}
            )
            found = nodes_of(answer, "inventory_items")
            for item in found:
                for level in ITEMS.either(item, parse):
                    yield level
            skip += len(found)
            if not found:
                return

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs in one call where none is refused."""
        able, lost = bound(levels, "inventory_item_id")
        return [*lost, *await push_levels(self.api, self.settings.stock_location_id, able)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Create the fulfillment that is not there yet, with the serials, and ship it."""
        return await push_fulfillment(self.api, fulfillment, self.settings.stock_location_id)

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature that the subscriber computes over the raw body."""
        given = headers.get("x-hub-signature", "").removeprefix("sha256=")
        signatures.require_hex(self.settings.webhook_secret, body, given)
        call_id = headers.get("x-hub-delivery") or signatures.body_digest(body)
        return WebhookCall(call_id, headers.get("x-hub-topic", ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order, if the event is about one."""
        return order_refs(body)

    async def _changed_orders(
        self, cursor: str, fields: str = ORDER_FIELDS
    ) -> tuple[list[Any], str, bool]:
        """Read the next orders by their time of change, with the cursor behind them."""
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        place = KeysetPosition.resume(position.after, position.since or BEGINNING)
        size = page_size(ORDERS_PER_PAGE)
        found = await self._orders("updated_at", place.since, None, place.skip, size, fields)
        newest = ORDERS.newest(found, changed_at)
        position, more = position.step(newest, place.following(newest, len(found), size))
        return found, position.cursor(), more

    async def _raw_order(self, ref: str) -> Mapping[str, Any]:
        path, params = f"/admin/orders/{quote(ref, safe='')}", {"fields": REFUNDED_FIELDS}
        answer = await self.api.json_object("GET", path, params=params)
        return object_field(answer, "order")

    async def _returns(self, order: Record) -> Sequence[Return]:
        return await read_returns(self.api, order) if self._is_ours(order) else ()

    def _ours(self, order: Mapping[str, Any]) -> Order | None:
        """Read an order; None for one of another sales channel."""
        return parse_order(order) if self._is_ours(order) else None

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        """Say whether one of our sales channels sold an order."""
        ours = self.settings.sales_channel_ids
        return not ours or text(order, "sales_channel_id") in ("", *ours)

    async def _orders(
        self,
        field: str,
        since: datetime,
        until: datetime | None,
        skip: int,
        limit: int = ORDERS_PER_PAGE,
        fields: str = ORDER_FIELDS,
    ) -> list[Any]:
        """Read a page; a shop that answers with older orders has ignored the filter."""
        params = {
            f"{field}[$gte]": stamp(since),
            "order": field,
            "limit": limit,
            "offset": skip,
            "fields": fields,
        }
        if until is not None:
            params[f"{field}[$lte]"] = stamp(until + CLOCK_GRAIN)
        answer = await self.api.json_object("GET", "/admin/orders", params=params)
        orders = nodes_of(answer, "orders")
        times = ORDERS.times(orders, changed_at if field == "updated_at" else placed_at)
        if times and min(times) < since - CLOCK_GRAIN:
            raise Rejected(f"the shop ignores the filter {field}: it would be read whole each time")
        return orders


def _contact(order: Mapping[str, Any]) -> Contact | None:
    address = child(order, "billing_address") or child(order, "shipping_address")
    return shown_contact(text(order, "email"), text(address, "phone"), full_name(address))
