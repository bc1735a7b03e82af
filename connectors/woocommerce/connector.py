"""WooCommerce shops over the REST API v3 (WooCommerce 5.8 or newer, pretty permalinks on).

The consumer key needs Read/Write, of a user who may edit orders and products (Shop manager). Over
https it travels as Basic authentication; over plain http WooCommerce refuses that, so each request
is signed with OAuth 1.0a instead (HMAC-SHA256, one leg), and nothing secret travels. WooCommerce
itself has no rate limit and no header for one; the proxies before it answer 429 or 503.

Orders are found by ``modified_after`` in fixed windows, because the API cannot sort by that time.
Serials come in from the meta data of a line, under the keys that till and serial plugins use
(`serial_meta_keys`), and go out under a key of our own (`shipped_meta`; begin it with ``_`` to
hide it from the buyer). A note on the order names carrier and tracking. Refunds are read with
their order (`connectors.woocommerce.returns`), with one more call for an order that has any: units
refunded before they left are no longer wanted, the others are returns.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), set stock
that a variation shares with its parent other than on the parent, or accept the unsigned ping with
which WooCommerce greets a new webhook (the shop shows an error once; deliveries come all the same).
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
from connectors.errors import AuthFailed, NotFound, Rejected
from connectors.exchanged import OrderRef, Page, PushedLevel, WebhookCall
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.accounts import address_of
from connectors.toolkit.json_fields import child, identity, nodes_of, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Record
from connectors.toolkit.time_windows import TimeWindow
from connectors.unreadable import UnreadableRecord
from connectors.woocommerce.auth import OneLeggedOAuth
from connectors.woocommerce.fulfillment import push_fulfillment
from connectors.woocommerce.mapping import (
    ORDERS,
    PRODUCTS,
    Dialect,
    changed_at,
    expect_object,
    normalize_key,
    order_refs,
    parse_order,
    parse_quantity,
)
from connectors.woocommerce.refunds import refund_order
from connectors.woocommerce.returns import (
    RETURNS,
    attach_refunds,
    parse_returns,
    unsent_units,
    without_unsent,
)
from connectors.woocommerce.stock import push_levels
from hub.vocabulary import (
    Cancellation,
    Contact,
    Fulfillment,
    HoldReason,
    ObservedLevel,
    Order,
    Refund,
    Return,
    StockLevel,
)

API = "/wp-json/wc/v3"
PER_PAGE = 100
CANCELLED = frozenset({"cancelled", "refunded", "trash"})
# `modified_after` and `modified_before` leave their own second out.
SECOND = timedelta(seconds=1)
SERIAL_META_KEYS = ("serial number", "serial numbers", "serial", "serials", "sn", "imei")
TILLS = ("pos-rest-api", "woocommerce-pos", "pos")


class WooCommerceSettings(BaseModel):
    """One shop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl = Field(description="The address of the WordPress site: https://shop.example")
    consumer_key: SecretStr
    consumer_secret: SecretStr
    webhook_secret: SecretStr
    serial_meta_keys: tuple[str, ...] = Field(
        SERIAL_META_KEYS, description="Meta keys of a line; case, blanks, - and _ do not matter"
    )
    shipped_meta: str = Field("Shipped serial numbers", min_length=1, max_length=255)
    counter_created_via: tuple[str, ...] = Field(
        TILLS, description="What `created_via` says of a sale over the counter"
    )
    notify_customer: bool = Field(False, description="Mail the note about a shipment to the buyer")
    calls_per_second: float = Field(4.0, gt=0)


class WooCommerce(
    Connector[WooCommerceSettings],
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
    """One shop: its orders, online and from its tills, and the stock that it counts."""

    states_money: ClassVar[bool] = True
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset({HoldReason.PAYMENT_PENDING})
    states_drafts: ClassVar[bool] = True
    unpaid_promise_hours: ClassVar[int | None] = 168  # A bank transfer takes days.

    key: ClassVar[str] = "woocommerce"
    settings_model: ClassVar[type[BaseModel]] = WooCommerceSettings
    ships_without_serials: ClassVar[bool] = False
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 100
    orders_name_serials: ClassVar[bool] = True
    shows_serials: ClassVar[bool] = True

    @classmethod
    def account(cls, settings: WooCommerceSettings) -> Sequence[str]:
        """Name the shop."""
        return (address_of(settings.url),)

    @classmethod
    def remote(cls, settings: WooCommerceSettings) -> Remote:
        """Describe the shop; how it knows us depends on whether the wire is private."""
        key = settings.consumer_key.get_secret_value()
        secret = settings.consumer_secret.get_secret_value()
        auth = (key, secret) if settings.url.scheme == "https" else OneLeggedOAuth(key, secret)
        return Remote(
            base_url=f"{str(settings.url).rstrip('/')}{API}",
            auth=auth,
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read orders and products, and prove that the shop knows ``modified_after``."""
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        try:
            orders, _ = await self._page(
                "/orders", {**_changed(tomorrow, None), "per_page": 1, "status": "any"}
            )
            await self._page("/products", {"per_page": 1, "_fields": "id"})
        except AuthFailed as refusal:
            raise AuthFailed(f"{refusal}: the consumer key needs Read/Write") from refusal
        except NotFound as refusal:
            raise NotFound(
                f"{refusal}: no WooCommerce REST API v3; are pretty permalinks on?"
            ) from refusal
        if orders:
            raise Rejected("the shop ignores modified_after: it needs WooCommerce 5.8 or newer")

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders of the window of changes, oldest first."""
        window = TimeWindow.resume(cursor, datetime.now(UTC), page_size(PER_PAGE))
        found, total = await self._orders(_changed(window.since, window.until), window.number)
        window, more = window.step(ORDERS.times(found, changed_at), total, page_size(PER_PAGE))
        orders = await ORDERS.each_async(found, self._parse)
        return Page(orders.items, window.cursor(), more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the refunds of the next orders of the window of changes."""
        window = TimeWindow.resume(cursor, datetime.now(UTC), page_size(PER_PAGE))
        found, total = await self._orders(_changed(window.since, window.until), window.number)
        window, more = window.step(ORDERS.times(found, changed_at), total, page_size(PER_PAGE))
        of_orders = await RETURNS.each_async(found, self._parse_returns)
        returns = tuple(each for some in of_orders.items for each in some)
        return Page(returns, window.cursor(), more, of_orders.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the refunds of one order, without those of units that never left."""
        answer = await self.api.json("GET", f"/orders/{quote(order_ref, safe='')}")
        return await RETURNS.one_async(expect_object(answer), self._parse_returns, order_ref)

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order, unless it is; what was paid is for a person to pay back."""
        path = f"/orders/{quote(cancellation.order_ref, safe='')}"
        order = expect_object(await self.api.json("GET", path))
        if order.get("status") == "completed":
            raise Rejected("the order is completed: WooCommerce would take the goods back")
        if order.get("status") not in CANCELLED:
            await self.api.json("PUT", path, json={"status": "cancelled"})
        return f"WooCommerce order {order.get('number') or cancellation.order_ref}"

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the gateway of the order, by line."""
        return await refund_order(self.api, refund)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read how the buyer of an order is billed."""
        answer = await self.api.json("GET", f"/orders/{quote(order_ref, safe='')}")
        return ORDERS.one(expect_object(answer), _contact, order_ref)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its id."""
        answer = await self.api.json("GET", f"/orders/{quote(ref, safe='')}")
        return await ORDERS.one_async(expect_object(answer), self._parse, ref)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        placed = {"after": _gmt(since - SECOND), "before": _gmt(until + SECOND)}
        page, total = 0, 1
        while page * PER_PAGE < total:
            page += 1
            found, total = await self._orders({**placed, "dates_are_gmt": "true"}, page)
            orders = await ORDERS.each_async(found, self._parse)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield every quantity that a product or one of its variations counts."""
        async for product in self._walk("/products"):
            for level in PRODUCTS.either(product, _observed):
                yield level
            parent = str(product.get("id")) if isinstance(product, dict) else ""
            if parent.isdecimal() and product.get("type") == "variable":
                async for each in self._walk(f"/products/{parent}/variations"):
                    for level in PRODUCTS.either(each, partial(_observed, parent=parent)):
                        yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs: products in one call, variations in one a parent."""
        able, lost = bound(levels, "product_id")
        return [*lost, *await push_levels(self.api, able)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Write the serials to the lines, complete the order with the last, and leave a note."""
        settings = self.settings
        await push_fulfillment(
            self.api, fulfillment, settings.shipped_meta, settings.notify_customer
        )
        return f"{str(settings.url).rstrip('/')}/wp-admin/post.php?post={fulfillment.order_ref}"

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the raw body."""
        given = headers.get("x-wc-webhook-signature", "")
        signatures.require_base64(self.settings.webhook_secret, body, given)
        call_id = headers.get("x-wc-webhook-delivery-id") or signatures.body_digest(body)
        return WebhookCall(call_id, headers.get("x-wc-webhook-topic", ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of ``order.*``; its body was built late and is not trusted."""
        return order_refs(topic, body)

    def _dialect(self) -> Dialect:
        settings = self.settings
        return Dialect(
            written=settings.shipped_meta,
            read=frozenset(normalize_key(each) for each in settings.serial_meta_keys),
            tills=frozenset(normalize_key(each) for each in settings.counter_created_via),
        )

    async def _parse(self, order: Record) -> Order:
        await attach_refunds(self.api, order)
        unsent = unsent_units(order, self.settings.shipped_meta)
        return without_unsent(parse_order(order, self._dialect()), unsent)

    async def _parse_returns(self, order: Record) -> Sequence[Return]:
        await attach_refunds(self.api, order)
        return parse_returns(order, self.settings.shipped_meta)

    async def _orders(self, where: Mapping[str, Any], page: int) -> tuple[list[Any], int]:
        """Read a page of orders, oldest first, and how many there are in all."""
        params = {**where, "status": "any", "orderby": "id", "order": "desc", "page": page}
        found, total = await self._page("/orders", {**params, "per_page": page_size(PER_PAGE)})
        return found[::-1], total

    async def _walk(self, path: str) -> AsyncIterator[Any]:
        page, total = 0, 1
        while page * PER_PAGE < total:
            page += 1
            params = {"orderby": "id", "order": "asc", "page": page, "per_page": PER_PAGE}
            found, total = await self._page(path, params)
            for each in found:
                yield each

    async def _page(self, path: str, params: Mapping[str, Any]) -> tuple[list[Any], int]:
        """Read one page, and how many entries there are in all."""
        response = await self.api.request("GET", path, params=params)
        try:
            found = nodes_of(response.json())
        except ValueError:
            found = nodes_of(None)
        total = response.headers.get("x-wp-total", "")
        if not total.isdecimal() and len(found) >= params["per_page"] > 1:
            raise Rejected("a proxy of the shop drops the header X-WP-Total: pages would be lost")
        return found, int(total) if total.isdecimal() else len(found)


def _changed(since: datetime | None, until: datetime | None) -> dict[str, str]:
    bounds = {"dates_are_gmt": "true"}
    if since is not None:
        bounds["modified_after"] = _gmt(since - SECOND)
    if until is not None:
        bounds["modified_before"] = _gmt(until + SECOND)
    return bounds


def _gmt(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _observed(product: Mapping[str, Any], parent: str | None = None) -> ObservedLevel | None:
    quantity = parse_quantity(product)
    if quantity is None:
        return None
    own = identity(product, "id")
    variation = {"product_id": parent, "variation_id": own} if parent else {"product_id": own}
    return ObservedLevel(
        sku=text(product, "sku"), quantity=quantity, remote=variation, title=text(product, "name")
    )


def _contact(order: Mapping[str, Any]) -> Contact | None:
    billed = child(order, "billing")
    return shown_contact(text(billed, "email"), text(billed, "phone"), full_name(billed))
