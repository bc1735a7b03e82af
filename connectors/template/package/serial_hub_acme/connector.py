"""Acme shops over their REST API.

Say here what a reader needs before the code: which version of the API, which rights the token
needs, how fast it may be asked, how serials travel there and back, and what it cannot do.

Orders and returns are listed by their time of change, with a cursor for the next page. Quantities
are compared and set item by item in one call. A shipment carries serials and an idempotency key.
Webhooks carry the id of an order, signed with HMAC-SHA256 over the raw body.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field, HttpUrl, SecretStr

from connectors.contract import (
    Connector,
    OrderRef,
    Page,
    PullOrders,
    PullReturns,
    PushedLevel,
    PushFulfillment,
    PushStock,
    ReceiveWebhooks,
    SnapshotOrders,
    SnapshotStock,
    WebhookCall,
)
from connectors.errors import AuthFailed
from connectors.remote import Remote
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import list_field, nodes_of
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Fulfillment, HoldReason, ObservedLevel, Order, Return, StockLevel

from .credentials import Credentials, described
from .mapping import (
    ARTICLES,
    ORDERS,
    RETURNS,
    changed_at,
    parse_article,
    parse_order,
    parse_pushed_level,
    parse_return,
)

PER_PAGE = 50


class AcmeSettings(Credentials):
    """One shop: its address, its credentials, and how fast it may be asked."""

    base_url: HttpUrl = Field(description="https://shop.example")
    webhook_secret: SecretStr
    calls_per_second: float = Field(4.0, gt=0)


class Acme(
    Connector[AcmeSettings],
    PullOrders,
    PullReturns,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
):
    """One shop: its orders, its returns, its stock. What it inherits is what it can do."""

    key: ClassVar[str] = "acme"
    settings_model: ClassVar[type[BaseModel]] = AcmeSettings
    levels_max: ClassVar[int] = 100
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset({HoldReason.PAYMENT_PENDING})
    returns_name_serials: ClassVar[bool] = True
    compares_in_one_step: ClassVar[bool] = True

    @classmethod
    def remote(cls, settings: AcmeSettings) -> Remote:
        """Describe the API. Nothing is asked here."""
        base_url = str(settings.base_url).rstrip("/")
        return described(settings, base_url, settings.calls_per_second)

    async def check(self) -> None:
        """Read one order and one article: the credentials have to open both."""
        try:
            for path in ("/orders", "/stock"):
                await self.api.json_object("GET", path, params={"limit": 1})
        except AuthFailed as refusal:
            raise AuthFailed(f"{refusal}: they must open orders and stock") from refusal

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change."""
        items, position, more = await self._changed("orders", cursor)
        orders = ORDERS.each(items, parse_order)
        return Page(orders.items, position.cursor(), more, orders.unreadable)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its id."""
        answer = await self.api.json_object("GET", f"/orders/{quote(ref, safe='')}")
        return ORDERS.one(answer, parse_order, ref)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the next returns by their time of change."""
        items, position, more = await self._changed("returns", cursor)
        returns = RETURNS.each(items, parse_return)
        return Page(returns.items, position.cursor(), more, returns.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns of one order."""
        path = f"/orders/{quote(order_ref, safe='')}/returns"
        answer = await self.api.json_object("GET", path)
        found = nodes_of(answer, "returns")
        return [RETURNS.one(each, parse_return, order_ref) for each in found]

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window, both ends included."""
        window = {"placed_from": stamp(since), "placed_to": stamp(until)}
        async for each in self._pages("orders", window):
            for order in ORDERS.either(each, parse_order):
                yield order

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what the shop shows of every article."""
        async for each in self._pages("stock", {}):
            for level in ARTICLES.either(each, parse_article):
                yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Compare and set in one call; each level is answered for itself."""
        able, lost = bound(levels, "article_id")
        if not able:
            return lost
        wanted = [
            {
                "article_id": level.remote["article_id"],
                "quantity": level.available,
                "if_quantity": level.expected,
            }
            for level in able
        ]
        # What is compared may be repeated at once.
        path, body = "/stock/batch", {"items": wanted}
        answer = await self.api.json_object("POST", path, json=body, repeat=True)
        results = list_field(answer, "results")
        return [
            *lost,
            *(parse_pushed_level(level, each) for level, each in zip(able, results, strict=True)),
        ]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Report a shipment. The key makes a repeat the same shipment."""
        body = {
            "lines": [
                {
                    "line_id": line.order_line_ref,
                    "quantity": line.units,
                    "serials": list(line.serials),
                }
                for line in fulfillment.lines
            ],
            "carrier": fulfillment.carrier,
            "tracking": fulfillment.tracking,
            "shipped_at": stamp(fulfillment.shipped_at),
        }
        answer = await self.api.json_object(
            "POST",
            f"/orders/{quote(fulfillment.order_ref, safe='')}/shipments",
            json=body,
            headers={"Idempotency-Key": fulfillment.reference},
            repeat=True,
        )
        return f"shipment {answer.get('id')}"

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the raw body."""
        given = headers.get("x-acme-signature", "")
        signatures.require_hex(self.settings.webhook_secret, body, given)
        call_id = headers.get("x-acme-delivery") or signatures.body_digest(body)
        return WebhookCall(call_id, headers.get("x-acme-topic", ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order; what can not be read names none."""
        try:
            payload = json.loads(body)
        except ValueError:
            return ()
        named = payload.get("order_id") if isinstance(payload, dict) else None
        return (OrderRef(str(named)),) if named else ()

    async def _changed(self, name: str, cursor: str) -> tuple[list[Any], IncrementalCursor, bool]:
        """Read a page of what changed; the pass overlaps, so that nothing is skipped."""
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        params: dict[str, Any] = {"limit": PER_PAGE, "sort": "lastModifiedAt"}
        if position.since is not None:
            params["changed_from"] = stamp(position.since)
        if position.after is not None:
            params["after"] = position.after
        answer = await self.api.json_object("GET", f"/{name}", params=params)
        items = nodes_of(answer, name)
        position, more = position.step(ORDERS.newest(items, changed_at), answer.get("next"))
        return items, position, more

    async def _pages(self, name: str, params: Mapping[str, Any]) -> AsyncIterator[Any]:
        """Yield every item of a list that does not move while it is read."""
        after: str | None = None
        while True:
            asked = {**params, "limit": PER_PAGE, **({"after": after} if after else {})}
            answer = await self.api.json_object("GET", f"/{name}", params=asked)
            items = nodes_of(answer, name)
            for each in items:
                yield each
            after = answer.get("next")
            if not items or after is None:
                return
