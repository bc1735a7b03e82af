"""Shopify shops and Shopify POS, over the Admin GraphQL API 2026-10.

A custom app of the store needs the scopes ``read_orders write_orders read_returns read_customers
read_products read_locations write_inventory`` and one of
``write_{merchant_managed,assigned,third_party}_fulfillment_orders``.

An app of the store's own organisation may be named by its client id and secret instead of a token;
its tokens of 24 hours are then fetched when they are needed. Queries cost points of a bucket whose
size and pace each answer tells; they are asked for only while it holds enough.

Quantities are set with compare-and-set and an idempotency key. Shopify has no field for serials at
an order line or a fulfillment: they are mirrored into one order metafield, ``serial_hub.serials``.

A shop with counters (Shopify POS) is connected once for its online orders and once for each
counter: see ``shopify_selection``. The orders of over a month are read by bulk operations.

It cannot: see orders older than 60 days (without ``read_all_orders``), more than 20 refunds or 10
returns of an order or 40 lines of one, or whose a fulfillment of equal size without serials is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

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
from connectors.errors import AuthFailed, NotFound, NotOurs
from connectors.exchanged import OrderRef, Page, PushedLevel, WebhookCall
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.shopify import bulk, documents, returns
from connectors.shopify.fulfillment import push_fulfillment
from connectors.shopify.mapping import (
    ITEMS,
    ORDERS,
    POINTS,
    available,
    changed_at,
    execute,
    next_page,
    order_refs,
    parse_contact,
    parse_order,
    read_points,
    webhook_header,
)
from connectors.shopify.money import KINDS
from connectors.shopify.privacy import ShopifyPrivacy
from connectors.shopify.refunds import refund_order
from connectors.shopify.selection import Selection, Sold, account_of
from connectors.shopify.stock import ItemStock
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Batch, Record
from connectors.toolkit.tokens import TokenAuth, oauth
from connectors.unreadable import Unreadable, UnreadableRecord
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

ITEMS_PER_PAGE = 50
SCOPES_NEEDED = frozenset(
    {
        "read_orders",
        "write_orders",
        "read_returns",
        "read_customers",
        "read_products",
        "read_locations",
        "write_inventory",
    }
)
FULFILLMENT_SCOPES = frozenset(
    f"write_{kind}_fulfillment_orders" for kind in ("merchant_managed", "assigned", "third_party")
)
TOKEN_HEADER = "X-Shopify-Access-Token"


class ShopifySettings(BaseModel):
    """One shop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shop_url: HttpUrl = Field(description="https://your-shop.myshopify.com")
    access_token: SecretStr | None = Field(None, description="Of a custom app; or its client_id")
    client_id: str | None = None
    webhook_secret: SecretStr = Field(description="The client secret of the app")
    location_id: str = Field(pattern=r"^gid://shopify/Location/\d+$")
    api_version: str = Field("2026-10", pattern=r"^\d{4}-\d{2}$")
    notify_customer: bool = False
    orders: Sold = Field(Sold.ALL, description="counter: only what is sold at the location")
    reads_staff: bool = Field(
        False, description="Who sold at the till: needs read_users, and a plan that has it"
    )
    bulk_poll_seconds: float = Field(bulk.POLL_SECONDS, gt=0, le=60)
    calls_per_second: float = Field(4.0, gt=0)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.access_token is None) == (self.client_id is None):
            raise ValueError("give either access_token or client_id")
        return self


class Shopify(
    Connector[ShopifySettings],
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
    ShopifyPrivacy,
):
    """One shop: online orders, orders of its POS, and the stock of one location."""

    shows_serials: ClassVar[bool] = True
    pays_back_cancelled: ClassVar[bool] = True
    states_staff: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = KINDS
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD, HoldReason.REFUNDED}
    )

    key: ClassVar[str] = "shopify"
    settings_model: ClassVar[type[BaseModel]] = ShopifySettings
    ships_without_serials: ClassVar[bool] = False
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 100
    compares_in_one_step: ClassVar[bool] = True

    @classmethod
    def account(cls, settings: ShopifySettings) -> Sequence[str]:
        """Name the shop, or what of it is sold where."""
        return (account_of(settings.shop_url, settings.orders, settings.location_id),)

    @classmethod
    def remote(cls, settings: ShopifySettings) -> Remote:
        """Describe the Admin API of the shop."""
        shop = str(settings.shop_url).rstrip("/")
        headers, auth = {}, None
        if settings.access_token is not None:
            headers = {TOKEN_HEADER: settings.access_token.get_secret_value()}
        else:
            form = {
                "grant_type": "client_credentials",
                "client_id": settings.client_id or "",
                "client_secret": settings.webhook_secret.get_secret_value(),
            }
            exchange = oauth(f"{shop}/admin/oauth/access_token", lambda _: form)
            auth = TokenAuth(exchange, header=TOKEN_HEADER, prefix="")
        return Remote(
            base_url=f"{shop}/admin/api/{settings.api_version}",
            auth=auth,
            headers=headers,
            calls_per_second=settings.calls_per_second,
            rate_limits=(POINTS,),
            rate_limit_readings=read_points,
        )

    async def check(self) -> None:
        """Read the token's scopes and the location."""
        data = await execute(self.api, documents.CHECK, location=self.settings.location_id)
        scopes = {each["handle"] for each in data["currentAppInstallation"]["accessScopes"]}
        missing = sorted(SCOPES_NEEDED - scopes)
        if missing or not scopes & FULFILLMENT_SCOPES:
            named = ", ".join(missing) or "write_*_fulfillment_orders"
            raise AuthFailed(f"the access token lacks the scopes {named}")
        if data["location"] is None:
            raise NotFound(f"the shop has no location {self.settings.location_id}")

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change."""
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        terms = (f"updated_at:>='{stamp(position.since)}'",) if position.since else ()
        orders, newest, after = await self._orders("UPDATED_AT", terms, position.after)
        position, more = position.step(newest, after)
        return Page(orders.items, position.cursor(), more, orders.unreadable)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its global id."""
        data = await execute(
            self.api,
            documents.ORDER,
            id=ref,
            lines=documents.MORE_LINES,
            staff=self.settings.reads_staff,
        )
        if data["order"] is None:
            raise NotFound(f"no order {ref}")
        order = await ORDERS.one_async(data["order"], self._ours, ref)
        if order is None:
            raise NotOurs(f"order {ref} belongs to another channel of this shop")
        return order

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns and refunds of the next orders by their time of change."""
        return await returns.pull_returns(self.api, cursor, datetime.now(UTC), self._selection)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns and refunds of one order."""
        found = await returns.fetch_returns(self.api, order_ref)
        if found.unreadable:
            raise Unreadable(found.unreadable[0])
        return found.items

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order for want of stock, and refund what was paid."""
        await returns.cancel_order(self.api, cancellation)
        return self._page_of(cancellation.order_ref)

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the payments of the order, by line."""
        return await refund_order(self.api, self.settings.location_id, refund)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read the address that an order was placed with; it needs protected customer data."""
        data = await execute(self.api, documents.BUYER, id=order_ref)
        if data["order"] is None:
            raise NotFound(f"no order {order_ref}")
        return ORDERS.one(data["order"], parse_contact, order_ref)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order created in the window."""
        if until - since > bulk.LONG:
            terms = self._selection.query() or ""
            seconds = self.settings.bulk_poll_seconds
            async for node, lines in bulk.orders(self.api, since, until, terms, seconds):
                listed = {**node, "lineItems": {"nodes": lines}}
                for order in ORDERS.either(listed, self._of_bulk):
                    if isinstance(order, UnreadableRecord) or since <= order.placed_at <= until:
                        yield order
            return
        span = (f"created_at:>='{stamp(since)}'", f"created_at:<='{stamp(until)}'")
        after: str | None = None
        while True:
            orders, _, after = await self._orders("CREATED_AT", span, after)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable
            if after is None:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield the available quantity of every tracked item at the location."""
        after: str | None = None
        while True:
            data = await execute(
                self.api,
                documents.ITEMS,
                first=ITEMS_PER_PAGE,
                after=after,
                location=self.settings.location_id,
            )
            for node in data["inventoryItems"]["nodes"]:
                for level in ITEMS.either(node, self._observed):
                    yield level
            after = next_page(data["inventoryItems"])
            if after is None:
                return

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set the available quantities, in one call where none is refused.

        The call sets all or nothing. Refused levels are taken out by the index that Shopify names
        (or by halving, where it names none) and the others are sent again under their own key.
        """
        able, lost = bound(levels, "inventory_item_id")
        return [*lost, *await ItemStock(self.api, self.settings.location_id).push(able)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Fulfil what is not fulfilled yet and name the serials in the order's metafield."""
        await push_fulfillment(self.api, fulfillment, notify_customer=self.settings.notify_customer)
        return self._page_of(fulfillment.order_ref)

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the raw body. A late call is accepted: hints do not age."""
        given = webhook_header(headers, "hmac-sha256")
        signatures.require_base64(self.settings.webhook_secret, body, given)
        call_id = webhook_header(headers, "webhook-id") or webhook_header(headers, "event-id")
        topic = webhook_header(headers, "topic")
        return WebhookCall(call_id or signatures.body_digest(body), topic)

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of ``orders/*``, ``fulfillments/*``, ``refunds/*`` and ``returns/*``."""
        try:
            payload = parsed_json(body)
        except ValueError:
            return ()
        if not isinstance(payload, dict):
            return ()
        edit = payload.get("order_edit")
        if isinstance(edit, dict):  # of orders/edited; it does not say where the order was sold
            return order_refs(edit.get("order_id"))
        if topic == "orders/delete":  # its payload is the id alone
            gone = order_refs(payload.get("id"))
            return tuple(replace(each, deleted=True) for each in gone)
        if not self._selection.holds_payload(topic, payload):
            return ()
        if topic.startswith("orders/"):
            return order_refs(payload.get("admin_graphql_api_id") or payload.get("id"))
        order = payload.get("order")
        inner = order.get("admin_graphql_api_id") if isinstance(order, dict) else None
        return order_refs(inner or payload.get("order_id"))

    def _page_of(self, order_ref: str) -> str:
        shop, number = str(self.settings.shop_url), order_ref.rsplit("/", 1)[-1]
        return f"{shop.rstrip('/')}/admin/orders/{number}"

    @property
    def _selection(self) -> Selection:
        return Selection(self.settings.orders, self.settings.location_id)

    async def _orders(
        self, sort: str, terms: Sequence[str], after: str | None
    ) -> tuple[Batch[Order], datetime | None, str | None]:
        """Read a page: the orders of this channel, the newest change on it, and what follows."""
        data = await execute(
            self.api,
            documents.ORDERS,
            staff=self.settings.reads_staff,
            first=page_size(documents.ORDERS_PER_PAGE),
            after=after,
            sort=sort,
            query=self._selection.query(*terms),
            lines=documents.LINES_PER_PAGE,
        )
        nodes = data["orders"]["nodes"]
        orders = await ORDERS.each_async(nodes, self._ours)
        return orders, ORDERS.newest(nodes, changed_at), next_page(data["orders"])

    async def _ours(self, node: Record) -> Order | None:
        """Read an order with all its lines; None for one of another channel of the shop."""
        if not self._selection.holds(node):
            return None
        lines = records(node["lineItems"], "nodes", required=True)
        after = next_page(node["lineItems"])
        while after is not None:
            data = await execute(
                self.api, documents.LINES, id=node["id"], lines=documents.MORE_LINES, after=after
            )
            more = node.attach("moreLineItems", data["order"]["lineItems"])
            lines = [*lines, *records(more, "nodes", required=True)]
            after = next_page(more)
        return parse_order(node, lines)

    def _of_bulk(self, node: Mapping[str, Any]) -> Order | None:
        if not self._selection.holds(node):
            return None
        return parse_order(node, records(node["lineItems"], "nodes", required=True))

    def _observed(self, node: Mapping[str, Any]) -> ObservedLevel | None:
        quantity = available(node)
        if quantity is None or not node["tracked"]:
            return None
        variants = records(child(node, "variants"), "nodes")
        return ObservedLevel(
            sku=text(node, "sku"),
            quantity=quantity,
            remote={
                "inventory_item_id": identity(node, "id"),
                "location_id": self.settings.location_id,
            },
            title=text(variants[0], "displayName") if variants else "",
        )
