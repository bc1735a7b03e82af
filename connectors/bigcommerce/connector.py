"""BigCommerce stores over REST: orders of v2, inventory and metafields of v3.

The API account needs the scopes Orders (modify), Order Fulfillment (modify), Products or Store
Inventory (modify) and Store Locations (read-only). A store may call 150 times (Pro: 450) in 30
seconds; ``X-Rate-Limit-Requests-Left``, ``X-Rate-Limit-Requests-Quota``,
``X-Rate-Limit-Time-Reset-Ms`` and ``X-Rate-Limit-Time-Window-Ms`` say how it stands. A 429 without
them means that the whole platform is busy.

Orders are sorted by ``date_modified`` and paged by that time. Serials go out as comments of the
shipment and as the order's metafield ``serial_hub.serials``; the channel names none to us. A
quantity is what is available to sell: the safety stock of the item is added to what is set.

Webhooks carry only ids and are signed by Standard Webhooks (``v1``, key is the client secret).

It cannot: see a quantity that it set at once (BigCommerce accepts it and works it off later;
reconciliation reads it), compare and set in one step, or tell a sale over the counter from others.
Incomplete checkouts are no orders. Refunds are read with their order, with one more call for an
order that has any (`connectors.bigcommerce.returns`).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.bigcommerce.fulfillment import push_fulfillment
from connectors.bigcommerce.mapping import (
    INCOMPLETE,
    ITEMS,
    ORDERS,
    changed_at,
    embedded_lines,
    order_refs,
    parse_event,
    parse_item,
    parse_order,
    request_list,
)
from connectors.bigcommerce.refunds import refund_order
from connectors.bigcommerce.returns import RETURNS, read_refunds
from connectors.bigcommerce.stock import items, push_levels
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
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.accounts import account_part
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import child, identity, records, text, whole
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
CANCELLED = 5
SHIPPED = frozenset({2, 3, 10})  # shipped, partially shipped, completed
BEGINNING = datetime(2009, 1, 1, tzinfo=UTC)
WITH_LINES = {"include": "consignments.line_items", "consignment_structure": "object"}


class BigCommerceSettings(BaseModel):
    """One store and one of its locations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = HttpUrl("https://api.bigcommerce.com")
    store_hash: str = Field(pattern=r"^[A-Za-z0-9]+$")
    access_token: SecretStr
    client_secret: SecretStr = Field(description="Of the API account: it signs the webhooks")
    location_id: int = Field(1, ge=1)
    channel_ids: tuple[int, ...] = Field(
        (), description="Of storefronts: take only what was sold there; empty takes all"
    )
    calls_per_second: float = Field(4.0, gt=0)


class BigCommerce(
    Connector[BigCommerceSettings],
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
    """One store: its orders, and the stock of one location."""

    restocks_cancelled: ClassVar[bool] = False  # unless a setting of the store says so
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset(
        {LineKind.DIGITAL, LineKind.GIFT_CARD}
    )
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD, HoldReason.FRAUD_REVIEW}
    )
    states_drafts: ClassVar[bool] = True

    key: ClassVar[str] = "bigcommerce"
    settings_model: ClassVar[type[BaseModel]] = BigCommerceSettings
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 250
    returns_state_arrival: ClassVar[bool] = False

    @classmethod
    def account(cls, settings: BigCommerceSettings) -> Sequence[str]:
        """Name the store at each of its storefronts, or at all."""
        channels = [str(each) for each in settings.channel_ids] or [""]
        return tuple(account_part(settings.store_hash, each) for each in channels)

    @classmethod
    def remote(cls, settings: BigCommerceSettings) -> Remote:
        """Describe the API of the store."""
        return Remote(
            base_url=f"{str(settings.base_url).rstrip('/')}/stores/{settings.store_hash}",
            headers={
                "X-Auth-Token": settings.access_token.get_secret_value(),
                "Accept": "application/json",
                "Content-Type": "application/json",
            },
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read one order and one item of the location."""
        try:
            await request_list(self.api, "/v2/orders", limit=1)
            await items(self.api, self.settings.location_id, 1)
        except AuthFailed as refusal:
            message = f"{refusal}: the API account needs Orders and Store Inventory (modify)"
            raise AuthFailed(message) from refusal
        except NotFound as refusal:
            raise NotFound(f"{refusal}: check store_hash and location_id") from refusal

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change."""
        found, next_cursor, more = await self._changed_orders(cursor)
        orders = await ORDERS.each_async(found, self._placed)
        return Page(orders.items, next_cursor, more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the refunds of the next orders by their time of change."""
        found, next_cursor, more = await self._changed_orders(cursor)
        of_orders = await RETURNS.each_async(found, self._returns)
        returns = tuple(each for some in of_orders.items for each in some)
        return Page(returns, next_cursor, more, of_orders.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the refunds of one order, without those of units that never left."""
        path = f"/v2/orders/{quote(order_ref, safe='')}"
        order = await self.api.json_object("GET", path, params=WITH_LINES)
        return await RETURNS.one_async(order, self._returns, order_ref)

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order, unless it is; what was paid is for a person to pay back."""
        path = f"/v2/orders/{quote(cancellation.order_ref, safe='')}"
        order = await self.api.json_object("GET", path)
        if order.get("status_id") in SHIPPED:
            raise Rejected("the order is shipped, in part or in full")
        if order.get("status_id") != CANCELLED:
            await self.api.json_object("PUT", path, json={"status_id": CANCELLED})
        return f"BigCommerce order {cancellation.order_ref}"

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the providers of the order, by line."""
        path = f"/v2/orders/{quote(refund.order_ref, safe='')}"
        order = Record(dict(await self.api.json_object("GET", path, params=WITH_LINES)))
        return await refund_order(self.api, order, await self._lines(order), refund)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read how the buyer of an order is billed."""
        path = f"/v2/orders/{quote(order_ref, safe='')}"
        return ORDERS.one(await self.api.json_object("GET", path), _contact, order_ref)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its id."""
        path = f"/v2/orders/{quote(ref, safe='')}"
        order = await self.api.json_object("GET", path, params=WITH_LINES)
        if not ORDERS.one(order, self._is_ours, ref):
            raise NotOurs(f"order {ref} belongs to another channel of the store")
        return await ORDERS.one_async(order, self._order, ref)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        page, found = 0, list[Any]()
        while page == 0 or len(found) == ORDERS_PER_PAGE:
            page += 1
            found = await request_list(
                self.api,
                "/v2/orders",
                min_date_created=stamp(since),
                max_date_created=stamp(until),
                sort="id:asc",
                page=page,
                limit=ORDERS_PER_PAGE,
                **WITH_LINES,
            )
            orders = await ORDERS.each_async(found, self._placed)
            for order in orders.items:
                yield order
            for unreadable in orders.unreadable:
                yield unreadable

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what the location has available to sell."""
        page, more = 0, True
        while more:
            page += 1
            found, more = await items(self.api, self.settings.location_id, page)
            for item in found:
                for level in ITEMS.either(item, parse_item):
                    yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and adjust what differs in one call where none is refused."""
        able, lost = bound(levels, "variant_id")
        return [*lost, *await push_levels(self.api, self.settings.location_id, able)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Create the shipments that are not there yet, and name the serials."""
        await push_fulfillment(self.api, fulfillment)
        store = f"https://store-{self.settings.store_hash}.mybigcommerce.com"
        return f"{store}/manage/orders/{fulfillment.order_ref}"

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify a call signed as Standard Webhooks specify, and refuse a recorded one."""
        call_id = signatures.require_standard_webhook(self._key(), headers, body, received_at)
        return WebhookCall(call_id, str(parse_event(body).get("scope") or ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order, where the event is about one."""
        return order_refs(body)

    def _key(self) -> bytes:
        """Return the signing key: the client secret, or the one that a ``whsec_`` text encodes."""
        secret = self.settings.client_secret
        if secret.get_secret_value().startswith("whsec_"):
            return signatures.standard_webhooks_key(secret)
        return secret.get_secret_value().encode()

    async def _placed(self, order: Record) -> Order | None:
        """Read an order of a list; None for a checkout that somebody left."""
        if order.get("status_id") == INCOMPLETE or not self._is_ours(order):
            return None
        return await self._order(order)

    async def _changed_orders(self, cursor: str) -> tuple[list[Any], str, bool]:
        """Read the next orders by their time of change, with the cursor behind them."""
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        place = KeysetPosition.resume(position.after, position.since or BEGINNING)
        size = page_size(ORDERS_PER_PAGE)
        found = await request_list(
            self.api,
            "/v2/orders",
            min_date_modified=stamp(place.since),
            sort="date_modified:asc",
            page=place.skip // size + 1,
            limit=size,
            **WITH_LINES,
        )
        newest = ORDERS.newest(found, changed_at)
        position, more = position.step(newest, place.following(newest, len(found), size))
        return found, position.cursor(), more

    async def _returns(self, order: Record) -> Sequence[Return]:
        if order.get("status_id") == INCOMPLETE or not self._is_ours(order):
            return ()
        return await read_refunds(self.api, order, await self._lines(order))

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        """Say whether one of our storefronts sold an order."""
        ours = self.settings.channel_ids
        return not ours or whole(order, "channel_id", ours[0]) in ours

    async def _order(self, order: Record) -> Order:
        return parse_order(order, await self._lines(order))

    async def _lines(self, order: Record) -> Sequence[Mapping[str, Any]]:
        lines = embedded_lines(order)
        if lines is None:
            path = f"/v2/orders/{quote(identity(order, 'id'), safe='')}/products"
            order.attach("products", await request_list(self.api, path, limit=250))
            lines = records(order, "products")
        return lines


def _contact(order: Mapping[str, Any]) -> Contact | None:
    billed = child(order, "billing_address")
    language = text(order, "customer_locale", "en")
    return shown_contact(
        text(billed, "email"), text(billed, "phone"), full_name(billed), language or "en"
    )
