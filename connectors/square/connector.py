"""Square sellers, till and online, over the REST API 2025-08-20 (header ``Square-Version``).

The access token needs ORDERS_READ, ORDERS_WRITE, ITEMS_READ, INVENTORY_READ, INVENTORY_WRITE and
MERCHANT_PROFILE_READ.

Square has no field for serials. What a cashier typed into the note of a line is read: the words
after ``SN``, ``S/N`` or ``Serial``, separated by commas, semicolons or blanks, up to the first word
without a digit (``SN: A1, A2 gift wrap`` names A1 and A2). What we shipped is mirrored into the
order's custom attribute ``serial-hub-serials``; its definition is made on first use.

It cannot: compare before it sets a quantity (a physical count overwrites a sale of the same
second; reconciliation finds it), update an order that the till made (Square gives those no
version), split a shipment (a partial one becomes PREPARED, the last one COMPLETED), find the
returns of one order without a pass (they are orders of their own), cancel a paid order, or carry
more serials of one order than 1,000 characters hold (the attribute then says how many it leaves
out).
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from connectors.contract import (
    Connector,
    OrderRef,
    Page,
    PullOrders,
    PullReturns,
    PushedLevel,
    PushFulfillment,
    PushStock,
    ReadContacts,
    ReceiveWebhooks,
    SnapshotOrders,
    SnapshotStock,
    WebhookCall,
)
from connectors.errors import NotFound, NotOurs
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.square.contacts import read_contact
from connectors.square.fulfillment import push_fulfillment
from connectors.square.mapping import (
    ARTICLES,
    ORDERS,
    RETURNS,
    call,
    changed_at,
    is_counted,
    order_refs,
    parse_event,
    parse_order,
    variation_ids,
)
from connectors.square.patterns import Pattern, PatternRefused, compiled
from connectors.square.refunds import refund_order
from connectors.square.returns import is_only_a_return, parse_returns
from connectors.square.stock import counts_of, set_levels, untracked_of
from connectors.stock_levels import bound, untracked
from connectors.toolkit import signatures
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import (
    child,
    identity,
    nodes_of,
    object_field,
    records,
    text,
)
from connectors.toolkit.records import Batch, Record
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import (
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

API_VERSION = "2025-08-20"
ORDERS_PER_PAGE = 100
SERIAL_INTRODUCER = r"(?i)\b(?:S/?N|serials?(?:\s*(?:numbers?|nos?\.?))?)\b\s*[:#]?"
BEGINNING = datetime(2009, 1, 1, tzinfo=UTC)  # older than any Square order


class SquareSettings(BaseModel):
    """One seller at one location."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = HttpUrl("https://connect.squareup.com")
    access_token: SecretStr
    location_id: str = Field(min_length=1)
    webhook_signature_key: SecretStr
    # A plain string: the signature covers the URL exactly as it was registered.
    notification_url: str = Field(pattern=r"^https?://")
    serial_introducer: str = Field(
        SERIAL_INTRODUCER, description="Regular expression for what comes before serials in a note"
    )
    reads_team_members: bool = Field(
        False, description="Who took the payment at the till: one more call for each sale"
    )
    calls_per_second: float = Field(8.0, gt=0)

    @field_validator("serial_introducer")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            compiled(value)
        except PatternRefused as error:
            raise ValueError(f"is not a regular expression that the hub matches: {error}") from None
        return value


class Square(
    Connector[SquareSettings],
    PullOrders,
    RefundOrders,
    PullReturns,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReadContacts,
):
    """One location: what its till and its online store sell, and what it stocks."""

    states_staff: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset(
        {LineKind.CUSTOM, LineKind.GIFT_CARD}
    )
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.REFUNDED}
    )
    states_drafts: ClassVar[bool] = True

    key: ClassVar[str] = "square"
    settings_model: ClassVar[type[BaseModel]] = SquareSettings
    ships_without_serials: ClassVar[bool] = False
    levels_max: ClassVar[int] = 100
    orders_name_serials: ClassVar[bool] = True
    returns_name_serials: ClassVar[bool] = True
    compares_stock: ClassVar[bool] = False
    refunds_name_lines: ClassVar[bool] = False

    @classmethod
    def account(cls, settings: SquareSettings) -> Sequence[str]:
        """Name the location, whose id is unique at Square."""
        return (settings.location_id,)

    @classmethod
    def remote(cls, settings: SquareSettings) -> Remote:
        """Describe the API of the seller."""
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            headers={
                "Authorization": f"Bearer {settings.access_token.get_secret_value()}",
                "Square-Version": API_VERSION,
            },
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read the location and one order."""
        await call(self.api, "GET", f"/v2/locations/{self.settings.location_id}")
        await self._raw("UPDATED_AT", {"start_at": stamp(datetime.now(UTC))}, None, limit=1)

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change.

        A pass repeats its own query with each cursor, as Square asks, and has no upper bound: an
        order that changes meanwhile comes again at the end instead of falling out of the window.
        """
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        window = {"start_at": stamp(position.since or BEGINNING)}
        found, after = await self._raw("UPDATED_AT", window, position.after)
        orders = await self._orders(found)
        position, more = position.step(ORDERS.newest(found, changed_at), after)
        return Page(orders.items, position.cursor(), more, orders.unreadable)

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the payments of the order, once for our key."""
        order = await self._raw_order(refund.order_ref)
        return await refund_order(self.api, order, refund)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read who an order goes to, else the customer that it names."""
        order = await self._raw_order(order_ref)
        return await read_contact(self.api, order)

    async def read_order(self, ref: str) -> Order:
        """Read one order of this location by its id."""
        order = await self._raw_order(ref)
        parse = partial(parse_order, skus=await self._skus([order]), introducer=self._introducer)
        return await self._with_staff(order, ORDERS.one(order, parse, ref))

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the returns and refunds of the next orders by their time of change."""
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        window = {"start_at": stamp(position.since or BEGINNING)}
        found, after = await self._raw("UPDATED_AT", window, position.after)
        returns = RETURNS.each_of_many(found, self._returns)
        position, more = position.step(ORDERS.newest(found, changed_at), after)
        return Page(returns.items, position.cursor(), more, returns.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read what an order says of returns: those it was made for, or its own refunds."""
        return RETURNS.one(await self._raw_order(order_ref), self._returns, order_ref)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order created in the window."""
        window = {"start_at": stamp(since), "end_at": stamp(until)}
        after: str | None = None
        while True:
            found, after = await self._raw("CREATED_AT", window, after)
            orders = await self._orders(found)
            for order in orders.items:
                yield order
            for unreadable in orders.unreadable:
                yield unreadable
            if after is None:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield the counted stock of every article; one that is tracked and uncounted is 0."""
        params = {"types": "ITEM_VARIATION"}
        while True:
            page = await call(self.api, "GET", "/v2/catalog/list", params=params)
            objects = nodes_of(page, "objects", required=False)
            ids = ARTICLES.each(objects, lambda each: identity(each, "id"))
            counts, odd = await counts_of(self.api, self.settings.location_id, ids.items)
            for unreadable in odd:
                yield unreadable
            parse = partial(self._observed, counts=counts, odd={each.ref for each in odd})
            for each in objects:
                for level in ARTICLES.either(each, parse):
                    yield level
            if not page.get("cursor"):
                return
            params = {"types": "ITEM_VARIATION", "cursor": page["cursor"]}

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set counts, in one call where none is refused; else by halves, to find the bad one."""
        able, lost = bound(levels, "catalog_object_id")
        loose = await untracked_of(
            self.api,
            self.settings.location_id,
            [level.remote["catalog_object_id"] for level in able],
        )
        refused = [
            PushedLevel(level.listing, error=untracked(level.remote["catalog_object_id"]))
            for level in able
            if level.remote["catalog_object_id"] in loose
        ]
        counted = [each for each in able if each.remote["catalog_object_id"] not in loose]
        return [*lost, *refused, *await set_levels(self.api, self.settings.location_id, counted)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Move the shipment of an online order, and name the serials in the custom attribute."""
        await push_fulfillment(self.api, fulfillment)
        return fulfillment.order_ref

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the registered URL and the raw body."""
        signed = self.settings.notification_url.encode() + body
        given = headers.get("x-square-hmacsha256-signature", "")
        signatures.require_base64(self.settings.webhook_signature_key, signed, given)
        event = parse_event(body)
        event_id = event.get("event_id") or signatures.body_digest(body)
        return WebhookCall(str(event_id), str(event.get("type") or ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of ``order.*``, ``payment.*`` and ``refund.*``."""
        return order_refs(topic, parse_event(body))

    async def _raw_order(self, ref: str) -> Mapping[str, Any]:
        answer = await call(self.api, "GET", f"/v2/orders/{quote(ref, safe='')}")
        order = object_field(answer, "order")
        if not ORDERS.one(order, self._is_ours, ref):
            raise NotOurs(f"order {ref} belongs to location {order['location_id']}")
        return order

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        return text(order, "location_id") in ("", self.settings.location_id)

    @property
    def _introducer(self) -> Pattern:
        return compiled(self.settings.serial_introducer)

    def _returns(self, order: Mapping[str, Any]) -> list[Return]:
        return parse_returns(order, self._introducer) if self._is_ours(order) else []

    def _observed(
        self, article: Mapping[str, Any], counts: Mapping[str, int], odd: Collection[str | None]
    ) -> ObservedLevel | None:
        """Read an article; None for one whose stock is not kept, or could not be read."""
        data, ref = child(article, "item_variation_data"), identity(article, "id")
        if ref in odd or not is_counted(article, self.settings.location_id):
            return None
        if ref not in counts and not data.get("track_inventory"):
            return None
        return ObservedLevel(
            sku=text(data, "sku"),
            quantity=counts.get(ref, 0),
            remote={"catalog_object_id": ref, "location_id": self.settings.location_id},
            title=text(data, "name"),
        )

    async def _raw(
        self, sort: str, window: Mapping[str, str], after: str | None, limit: int = ORDERS_PER_PAGE
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        body: dict[str, Any] = {
            "location_ids": [self.settings.location_id],
            "query": {
                "filter": {"date_time_filter": {sort.lower(): window}},
                "sort": {"sort_field": sort, "sort_order": "ASC"},
            },
            "limit": limit,
        }
        if after:
            body["cursor"] = after
        answer = await call(self.api, "POST", "/v2/orders/search", json=body, repeat=True)
        return nodes_of(answer, "orders", required=False), answer.get("cursor") or None

    async def _orders(self, found: Sequence[Any]) -> Batch[Order]:
        """Read what was sold; the SKUs of the lines are looked up for the page."""
        skus, introducer = await self._skus(found), self._introducer

        async def parse(order: Record) -> Order | None:
            if is_only_a_return(order) or not self._is_ours(order):
                return None
            return await self._with_staff(order, parse_order(order, skus, introducer))

        return await ORDERS.each_async(found, parse)

    async def _with_staff(self, raw: Mapping[str, Any], order: Order) -> Order:
        """Return an order of the till with who took its payment, where the settings want that."""
        payments = [text(each, "id") for each in records(raw, "tenders")]
        if not (self.settings.reads_team_members and order.at_counter and any(payments)):
            return order
        try:
            answer = await call(self.api, "GET", f"/v2/payments/{quote(payments[0], safe='')}")
        except NotFound:  # cash is no payment to Square
            return order
        member = text(object_field(answer, "payment"), "team_member_id")
        return replace(order, staff_ref=member or None)

    async def _skus(self, found: Sequence[Any]) -> dict[str, str]:
        """Look up the SKUs of the catalog objects that orders name."""
        skus: dict[str, str] = {}
        if ids := variation_ids(found):
            answer = await call(
                self.api,
                "POST",
                "/v2/catalog/batch-retrieve",
                json={"object_ids": ids},
                repeat=True,
            )
            skus |= dict(ARTICLES.each(nodes_of(answer, "objects", required=False), _sku).items)
        return skus


def _sku(article: Mapping[str, Any]) -> tuple[str, str]:
    return identity(article, "id"), text(child(article, "item_variation_data"), "sku")
