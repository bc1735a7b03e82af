"""Walmart Marketplace sellers in the United States: orders, inventory and notifications, v3.

The seller's client id and secret buy tokens of fifteen minutes; their rights to orders, returns and
inventory are chosen when the keys are made. An answer tells how many calls are left.

An order must be acknowledged within hours, and before it is shipped. That is a promise, so it is
made only for what is stored: the cursor carries the orders of the last page that were new, and the
next pull acknowledges them. Orders have no time of change of their own and their list is in no
known order: it is read by spans that fit on one page and overlap by a quarter of an hour.

Serials: Walmart names some at order lines (``serialNumbers``), and they are read. A shipment has no
field for ours.

Webhooks come signed in one of two ways: with the HMAC of the body in a header whose name was chosen
at the subscription, or with ``WM_SEC.SIGNATURE`` over method, address, time and body.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), report a
shipment without a tracking number, take webhooks with a password instead of a signature, serve what
Walmart ships itself (WFS), or see orders older than 180 days.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from connectors.contact_fields import shown_contact
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
from connectors.errors import AuthFailed, NotOurs
from connectors.exchanged import OrderRef, Page, PushedLevel, WebhookCall
from connectors.remote import Remote, RemoteApi
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.accounts import account_part
from connectors.toolkit.json_fields import child, identity, nodes_of, parsed_json, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.tokens import TokenAuth, oauth
from connectors.unreadable import Unreadable, UnreadableRecord
from connectors.walmart import returns
from connectors.walmart.fulfillment import (
    CREATED,
    acknowledge,
    cancel_order,
    fetch_order,
    push_fulfillment,
)
from connectors.walmart.mapping import (
    BUDGETS,
    ORDERS,
    RETURNS,
    changed_at,
    common_headers,
    count_units,
    leaves_from,
    lines_by_number,
    order_refs,
    parse_notice,
    parse_order,
    read_rate_limits,
    request_object,
    request_page,
    shipped_by_seller,
)
from connectors.walmart.mapping import ORDERS_READER as READER
from connectors.walmart.spans import Listed, iterate_spans, read_span
from connectors.walmart.stock import FEED_POLL_SECONDS, Store, iterate_items, push_levels
from hub.vocabulary import (
    Cancellation,
    Contact,
    Fulfillment,
    HoldReason,
    ObservedLevel,
    Order,
    Return,
    StockLevel,
)

PER_PAGE = 200
NEEDED = ("orders", "inventory")
SIGNATURE, TIMESTAMP = "wm_sec.signature", "wm_sec.timestamp"


class WalmartSettings(BaseModel):
    """One seller, seen by one application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(
        HttpUrl("https://marketplace.walmartapis.com"),
        description="Sandbox: https://sandbox.walmartapis.com",
    )
    client_id: str = Field(min_length=1, pattern=r"^[^:]+$")
    client_secret: SecretStr
    ship_node: str | None = Field(None, description="Where the seller has several")
    acknowledge: bool = Field(True, description="False: another system acknowledges orders")
    webhook_secret: SecretStr | None = Field(None, description="The client secret of the HMAC")
    webhook_header: str = Field("x-hub-signature", description="authHeaderName of the subscription")
    # A plain string: a signature covers the address exactly as it was registered.
    notification_url: str | None = Field(None, pattern=r"^https?://")
    feed_poll_seconds: float = Field(FEED_POLL_SECONDS, gt=0, le=30)
    calls_per_second: float = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _a_whole_webhook(self) -> Self:
        if self.notification_url and self.webhook_secret is None:
            raise ValueError("webhooks need webhook_secret too")
        return self


class Walmart(
    Connector[WalmartSettings],
    PullOrders,
    PullReturns,
    CancelOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReadContacts,
):
    """One seller: the orders that it ships itself, and its items by SKU."""

    pays_back_cancelled: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset({HoldReason.CANCELLATION_REQUESTED})
    unpaid_promise_hours: ClassVar[int | None] = None  # Orders arrive paid.

    key: ClassVar[str] = "walmart"
    settings_model: ClassVar[type[BaseModel]] = WalmartSettings
    levels_max: ClassVar[int] = 50
    orders_name_serials: ClassVar[bool] = True
    stores_serials: ClassVar[bool] = False

    def __init__(self, settings: WalmartSettings, api: RemoteApi) -> None:
        super().__init__(settings, api)
        self._store = Store(api, settings.ship_node, settings.feed_poll_seconds)

    @classmethod
    def account(cls, settings: WalmartSettings) -> Sequence[str]:
        """Name the seller by the application, and the ship node where it has several."""
        return (account_part(settings.client_id, settings.ship_node or ""),)

    @classmethod
    def remote(cls, settings: WalmartSettings) -> Remote:
        """Describe the API, and how its tokens are bought."""
        base = str(settings.base_url).rstrip("/")
        exchange = oauth(
            f"{base}/v3/token",
            lambda _: {"grant_type": "client_credentials"},
            basic=(settings.client_id, settings.client_secret.get_secret_value()),
            headers=common_headers,
        )
        return Remote(
            base_url=base,
            auth=TokenAuth(exchange, header="WM_SEC.ACCESS_TOKEN", prefix=""),
            calls_per_second=settings.calls_per_second,
            rate_limits=BUDGETS,
            rate_limit_readings=read_rate_limits,
        )

    async def check(self) -> None:
        """Buy a token and read what it may do."""
        # The contract wants a kind of content here, though there is none.
        kind = {"content-type": "application/json"}
        detail = await request_object(self.api, "GET", "/v3/token/detail", headers=kind)
        scopes = detail.get("scopes") or {}
        lacking = [name for name in NEEDED if scopes.get(name) != "full_access"]
        if lacking:
            raise AuthFailed(f"the keys need full access to {' and '.join(lacking)}")

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Acknowledge what was stored, then return the orders of the next span of changes."""
        stored = parsed_json(cursor) if cursor else {}
        for ref in stored.get("new", []):
            await acknowledge(self.api, ref)
        found, following, more = await read_span(
            stored, "lastModified", self._orders, partial(READER.times, time_of=changed_at)
        )
        if self.settings.acknowledge:
            following["new"] = list(READER.each(found, self._to_acknowledge).items)
        orders = READER.each(found, self._ours)
        return Page(orders.items, json.dumps(following), more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns of the next span of changes."""
        stored = parsed_json(cursor) if cursor else {}
        found, following, more = await read_span(
            stored,
            "returnLastModified",
            self._returns,
            partial(returns.READER.times, time_of=returns.changed_at),
        )
        read = returns.READER.each_of_many(found, returns.parse_returns)
        return Page(read.items, json.dumps(following), more, read.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns of one order; Walmart lists them by the customer's order."""
        order = await fetch_order(self.api, order_ref)
        customer_order = READER.one(
            order, lambda each: identity(each, "customerOrderId"), order_ref
        )
        asked, after = {"customerOrderId": customer_order}, None
        read: list[Return] = []
        while True:
            found, after = await self._returns(asked, after)
            batch = returns.READER.each_of_many(found, returns.parse_returns, order_ref)
            if batch.unreadable:
                raise Unreadable(batch.unreadable[0])
            read += batch.items
            if after is None:
                return [each for each in read if each.order_ref == order_ref]

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel what is left of an order; Walmart charges the buyer for what was shipped only."""
        await cancel_order(self.api, cancellation)
        return f"Walmart order {cancellation.order_ref}"

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read the address at which Walmart relays messages to the buyer, and the number."""
        return READER.one(await fetch_order(self.api, order_ref), _contact, order_ref)

    async def read_order(self, ref: str) -> Order:
        """Read one order that the seller ships."""
        order = READER.one(await fetch_order(self.api, ref), self._ours, ref)
        if order is None:
            raise NotOurs(f"order {ref} leaves another place: its units are none of ours")
        return order

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        seen: set[str] = set()
        async for each in iterate_spans("created", since, until, self._orders):
            for order in READER.either(each, self._ours):
                if isinstance(order, UnreadableRecord):
                    yield order
                elif since <= order.placed_at <= until and order.ref not in seen:
                    seen.add(order.ref)
                    yield order

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what every item has for sale at the seller's place."""
        async for level in iterate_items(self._store):
            yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs: one by one, or in a feed where it is many."""
        able, lost = bound(levels, "sku")
        return [*lost, *(await push_levels(self._store, able) if able else [])]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Report what left; Walmart has no place for its serials."""
        await push_fulfillment(self.api, fulfillment)
        return f"Walmart purchase order {fulfillment.order_ref}"

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify either kind of signature. A late notice is accepted: hints do not age."""
        secret = self.settings.webhook_secret
        if secret is None:
            raise AuthFailed("the settings name no webhook_secret")
        if SIGNATURE in headers:
            signed = self._address_and_body(headers.get(TIMESTAMP, ""), body)
            given = headers[SIGNATURE]
        else:
            signed = body
            given = headers.get(self.settings.webhook_header.lower(), "")
        # The contract does not say how the digest is written: both notations are accepted.
        signatures.require_hex_or_base64(signatures.hmac_sha256(secret, signed), given)
        return parse_notice(body)[0]

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of a notice."""
        return order_refs(topic, body)

    def _address_and_body(self, timestamp: str, body: bytes) -> bytes:
        address = urlsplit(self.settings.notification_url or "")
        asked = f"{address.path}?{address.query}" if address.query else address.path
        return f"POST\n{asked}\n{timestamp}\n{signatures.body_digest(body)}".encode()

    async def _orders(self, asked: Mapping[str, str], after: str | None) -> Listed:
        asked = {**asked, "limit": str(page_size(PER_PAGE)), "shipNodeType": "SellerFulfilled"}
        answer = (await self._list(ORDERS, asked, after)).get("list") or {}
        found = nodes_of(answer.get("elements") or {}, "order", required=False)
        return found, _next(answer)

    def _ours(self, order: Mapping[str, Any]) -> Order | None:
        """Read an order; None for one that leaves another place."""
        ours = shipped_by_seller(order) and leaves_from(order, self.settings.ship_node)
        return parse_order(order) if ours else None

    def _to_acknowledge(self, order: Mapping[str, Any]) -> str | None:
        """Return the reference of an order of ours that was not acknowledged yet."""
        new = any(count_units(line, CREATED) for line in lines_by_number(order).values())
        return identity(order, "purchaseOrderId") if new and self._ours(order) else None

    async def _returns(self, asked: Mapping[str, str], after: str | None) -> Listed:
        asked = {**asked, "limit": str(PER_PAGE), "replacementInfo": "true"}
        answer = await self._list(RETURNS, asked, after)
        return nodes_of(answer, "returnOrders", required=False), _next(answer)

    async def _list(
        self, path: str, asked: Mapping[str, str], after: str | None
    ) -> Mapping[str, Any]:
        if after is None:
            return await request_page(self.api, path, params=asked)
        # The whole query of the next page, as Walmart wrote it.
        return await request_page(self.api, f"{path}?{after.lstrip('?')}")


def _next(answer: Mapping[str, Any]) -> str | None:
    return (answer.get("meta") or {}).get("nextCursor") or None


def _contact(order: Mapping[str, Any]) -> Contact | None:
    shipping = child(order, "shippingInfo")
    name = text(child(shipping, "postalAddress"), "name")
    return shown_contact(text(order, "customerEmailId"), text(shipping, "phone"), name)
