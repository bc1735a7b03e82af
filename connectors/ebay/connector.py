"""eBay sellers over the Sell APIs: Fulfillment v1, Inventory v1 and Notification v1.

The application needs a refresh token of the seller (18 months) with the scopes
``sell.fulfillment``, ``sell.inventory`` and the base scope ``api_scope``; an access token of two
hours is bought with it. There is a quota for each day and API, and no header for it
(``GET /developer/analytics/v1_beta/rate_limit`` tells); beyond it eBay answers 429. One listing
takes 250 revisions a day, so a quantity that is shown already is not sent again.

Orders are found by ``lastmodifieddate`` in fixed windows, because eBay pages by number and names no
order of its list; it keeps two years of them. eBay has no field for serials: the hub alone knows
which unit left for which line. No name or mark of a buyer is kept.

Notifications are signed with keys that are fetched by their id, and the challenge of a new address
is answered. EU and UK sellers must sign calls that pay back; none is signed here, so that eBay
refuses their cancellations.

Returns are read with Post-Order (`connectors.ebay.returns`), which eBay's sandbox does not have.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), set what an
offer limits on its own unless the listing names its ``offer_id``, or sell items listed outside the
Inventory API.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

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
from connectors.ebay.auth import RefreshTokenAuth
from connectors.ebay.fulfillment import push_fulfillment
from connectors.ebay.mapping import (
    ITEMS,
    ORDERS,
    changed_at,
    list_field,
    order_refs,
    parse_item,
    parse_notification,
    parse_order,
    sold_on,
)
from connectors.ebay.refunds import refund_order
from connectors.ebay.returns import (
    RETURNS,
    attach_returns,
    names_refunds,
    newest_seen,
    parse_returns,
    states_by_order,
    summaries,
)
from connectors.ebay.signature import Keys, challenge_response
from connectors.ebay.stock import INVENTORY, set_quantities, shown_quantities
from connectors.errors import AuthFailed, Conflict, NotFound, NotOurs, Unknown
from connectors.exchanged import OrderRef, Page, PushedLevel, WebhookCall
from connectors.privacy import PrivacyKind, PrivacyRequest, ReceivePrivacyRequests
from connectors.refunds import RefundOrders
from connectors.remote import Remote, RemoteApi
from connectors.stock_levels import bound
from connectors.toolkit.accounts import account_part
from connectors.toolkit.cursors import ChangedRefs, stamp
from connectors.toolkit.json_fields import child, parsed_json, records, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Record
from connectors.toolkit.time_windows import TimeWindow
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

CANCELLATIONS = "/post-order/v2/cancellation"
OUT_OF_STOCK = "OUT_OF_STOCK_OR_CANNOT_FULFILL"
CANCELLING = frozenset({"CANCELED", "IN_PROGRESS"})
ORDERS_PATH = "/sell/fulfillment/v1/order"
ACCOUNT_DELETION = "MARKETPLACE_ACCOUNT_DELETION"
ORDERS_PER_PAGE = 100
ITEMS_PER_PAGE = 100
RETURNED_PER_PAGE = 20  # orders that are read again for their returns: two calls or more each
KEPT = timedelta(days=729)  # eBay refuses to look further back than two years
SCOPES = " ".join(
    f"https://api.ebay.com/oauth/{name}"
    for name in ("api_scope", "api_scope/sell.fulfillment", "api_scope/sell.inventory")
)


class EbaySettings(BaseModel):
    """One seller, seen by one application."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl = Field(
        HttpUrl("https://api.ebay.com"), description="Sandbox: https://api.sandbox.ebay.com"
    )
    client_id: str = Field(min_length=1, pattern=r"^[^:]+$")
    client_secret: SecretStr
    refresh_token: SecretStr
    verification_token: SecretStr = Field(min_length=32, max_length=80)
    # A plain string: the challenge covers the URL exactly as it was registered.
    notification_url: str = Field(pattern=r"^https?://")
    scopes: str = SCOPES
    marketplace_ids: tuple[str, ...] = Field(
        (), description="EBAY_US, EBAY_DE …: take only what was bought there; empty takes all"
    )
    calls_per_second: float = Field(4.0, gt=0)


class Ebay(
    Connector[EbaySettings],
    PullOrders,
    PullReturns,
    CancelOrders,
    RefundOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReceivePrivacyRequests,
    ReadContacts,
):
    """One seller: the orders, and the inventory items by SKU."""

    restocks_cancelled: ClassVar[bool] = False
    pays_back_cancelled: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset({LineKind.GIFT_CARD})
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.CANCELLATION_REQUESTED}
    )
    unpaid_promise_hours: ClassVar[int | None] = 120  # A buyer has four days.

    key: ClassVar[str] = "ebay"
    settings_model: ClassVar[type[BaseModel]] = EbaySettings
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 25
    stores_serials: ClassVar[bool] = False
    refunds_name_lines: ClassVar[bool] = False
    recognizes_refunds: ClassVar[bool] = False

    def __init__(self, settings: EbaySettings, api: RemoteApi) -> None:
        super().__init__(settings, api)
        self._keys = Keys()

    @classmethod
    def account(cls, settings: EbaySettings) -> Sequence[str]:
        """Name the seller by a digest of its consent, at each marketplace or at all."""
        return tuple(
            account_part(_seller(settings), marketplace)
            for marketplace in settings.marketplace_ids or ("",)
        )

    @classmethod
    def remote(cls, settings: EbaySettings) -> Remote:
        """Describe the API, and how its tokens are bought."""
        base = str(settings.base_url).rstrip("/")
        auth = RefreshTokenAuth(
            f"{base}/identity/v1/oauth2/token",
            (settings.client_id, settings.client_secret.get_secret_value()),
            settings.refresh_token.get_secret_value(),
            settings.scopes,
        )
        return Remote(base_url=base, auth=auth, calls_per_second=settings.calls_per_second)

    async def check(self) -> None:
        """Buy a token, and read one order and one inventory item."""
        try:
            await self.api.json_object("GET", ORDERS_PATH, params={"limit": "1"})
            await self.api.json_object("GET", f"{INVENTORY}/inventory_item", params={"limit": "1"})
        except AuthFailed as refusal:
            message = f"{refusal}: it needs sell.fulfillment and sell.inventory"
            raise AuthFailed(message) from refusal

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders of the window of changes."""
        window = TimeWindow.resume(cursor, datetime.now(UTC), page_size(ORDERS_PER_PAGE))
        since = max(window.since or window.until - KEPT, window.until - KEPT)
        found, total = await self._orders("lastmodifieddate", since, window.until, window.number)
        window, more = window.step(
            ORDERS.times(found, changed_at), total, page_size(ORDERS_PER_PAGE)
        )
        orders = ORDERS.each(found, self._ours)
        return Page(orders.items, window.cursor(), more, orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return the refunds of the next changed orders, then the returns that changed."""
        stored = parsed_json(cursor) if cursor else {}
        changed = ChangedRefs.restore(stored)
        if changed.waiting:
            return await self._changed_returns(stored, changed)
        now, size = datetime.now(UTC), page_size(ORDERS_PER_PAGE)
        window = TimeWindow.resume(stored.get("orders", ""), now, size)
        since = max(window.since or window.until - KEPT, window.until - KEPT)
        found, total = await self._orders("lastmodifieddate", since, window.until, window.number)
        window, more = window.step(ORDERS.times(found, changed_at), total, size)
        stored = {**stored, "orders": window.cursor()}
        read = await RETURNS.each_async(found, self._refunds)
        unreadable = read.unreadable
        if not more:
            looked, odd = await summaries(self.api, newest_seen(stored), now)
            unreadable += odd
            changed = changed.compare(states_by_order(looked))
            newest = max((at for _, at, _ in looked), default=None)
            stored |= {"newest": newest.isoformat()} if newest else {}
        stored |= changed.stored()
        returns = tuple(each for some in read.items for each in some)
        return Page(returns, json.dumps(stored), more or bool(changed.waiting), unreadable)

    async def _changed_returns(
        self, stored: Mapping[str, Any], changed: ChangedRefs
    ) -> Page[Return]:
        """Read the next orders whose returns changed."""
        refs, changed = changed.take(RETURNED_PER_PAGE)
        found = []
        for ref in refs:
            with suppress(NotFound):  # older than what eBay shows
                found.append(await self._raw_order(ref))
        read = await RETURNS.each_async(found, self._returns)
        returns = tuple(each for some in read.items for each in some)
        stored = {**stored, **changed.stored()}
        return Page(returns, json.dumps(stored), bool(changed.waiting), read.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the returns and refunds of one order."""
        order = await self._raw_order(order_ref)
        return await RETURNS.one_async(order, self._returns, order_ref)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read to whom an order goes: eBay shows the address 14 days long, the number 90."""
        return ORDERS.one(await self._raw_order(order_ref), _contact, order_ref)

    async def read_order(self, ref: str) -> Order:
        """Read one order of our marketplaces by its id."""
        found = await self._raw_order(ref)
        order = ORDERS.one(found, self._ours, ref)
        if order is None:
            raise NotOurs(f"order {ref} was bought on another marketplace")
        return order

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order for want of stock; eBay pays back what was paid."""
        order = await self._raw_order(cancellation.order_ref)
        state = child(order, "cancelStatus").get("cancelState")
        if state not in CANCELLING:
            body = {"legacyOrderId": cancellation.order_ref, "cancelReason": OUT_OF_STOCK}
            await self.api.json_object("POST", CANCELLATIONS, json=body)
        return self._page_of(cancellation.order_ref)

    async def refund_order(self, refund: Refund) -> str:
        """Pay back by amount, unless the order lists just that since it was decided."""
        order = Record(dict(await self._raw_order(refund.order_ref)))
        paid = ORDERS.one(order, parse_order, refund.order_ref).total
        path = f"{ORDERS_PATH}/{quote(refund.order_ref, safe='')}"
        return await refund_order(self.api, path, order, paid or Decimal(), refund)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        page, total = 0, 1
        while page * ORDERS_PER_PAGE < total:
            page += 1
            found, total = await self._orders("creationdate", since, until, page)
            orders = ORDERS.each(found, self._ours)
            for order in orders.items:
                yield order
            for unreadable in orders.unreadable:
                yield unreadable

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what every inventory item has for sale."""
        page: int | None = 0
        while page is not None:
            params = {"limit": str(ITEMS_PER_PAGE), "offset": str(page)}  # pages, not items
            path = f"{INVENTORY}/inventory_item"
            answer = await self.api.json_object("GET", path, params=params)
            found = list_field(answer, "inventoryItems")
            for item in found:
                for level in ITEMS.either(item, parse_item):
                    yield level
            page = page + 1 if found and answer.get("next") else None

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs in one call; each item is answered for itself."""
        able, lost = bound(levels, "sku")
        if not able:
            return lost
        shown = await shown_quantities(self.api, [level.remote["sku"] for level in able])
        answers, wanted = list(lost), list[StockLevel]()
        for level in able:
            present = shown.get(level.remote["sku"])
            if isinstance(present, Unreadable):
                answers.append(PushedLevel(level.listing, error=present))
            elif present == level.available and not level.remote.get("offer_id"):
                answers.append(PushedLevel(level.listing, present))
            elif None not in (level.expected, present) and level.expected != present:
                moved = Conflict("the quantity has changed", observed=present)
                answers.append(PushedLevel(level.listing, error=moved))
            else:
                wanted.append(level)
        return [*answers, *await set_quantities(self.api, wanted)]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Create the shipment that is not there yet; eBay has no place for its serials."""
        await push_fulfillment(self.api, ORDERS_PATH, fulfillment)
        return self._page_of(fulfillment.order_ref)

    async def prepare(self, headers: Mapping[str, str]) -> None:
        """Fetch the public key that a notification names."""
        await self._keys.fetch(self.api, headers)

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Check the signature over the raw body."""
        self._keys.verify(headers, body)
        call_id, topic, _ = parse_notification(body)
        if not call_id:
            raise AuthFailed("the notification has no id")
        return WebhookCall(call_id, topic)

    def challenge(self, query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Show that the address is ours."""
        if "challenge_code" not in query:
            return None
        token = self.settings.verification_token.get_secret_value()
        address = self.settings.notification_url
        return {"challengeResponse": challenge_response(query["challenge_code"], token, address)}

    def privacy_request(self, topic: str, body: bytes) -> PrivacyRequest | None:
        """Return the deletion of a buyer's account, which eBay announces to every application."""
        if topic != ACCOUNT_DELETION:
            return None
        data = parse_notification(body)[2]
        named = data if isinstance(data, dict) else {}
        said = [str(named[name]) for name in ("username", "userId", "eiasToken") if named.get(name)]
        return PrivacyRequest(
            kind=PrivacyKind.ERASE_CUSTOMER,
            customer_ref=str(named.get("username") or ""),
            identifiers=said,
        )

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the orders of a notification."""
        return order_refs(parse_notification(body)[2])

    def _page_of(self, ref: str) -> str:
        return f"https://www.ebay.com/mesh/ord/details?orderid={ref}"

    async def _orders(
        self, field: str, since: datetime, until: datetime, page: int
    ) -> tuple[list[Any], int]:
        limit = page_size(ORDERS_PER_PAGE)
        params = {
            "filter": f"{field}:[{stamp(since)}..{stamp(until)}]",
            "limit": str(limit),
            "offset": str((page - 1) * limit),
        }
        answer = await self.api.json_object("GET", ORDERS_PATH, params=params)
        found = list_field(answer, "orders")
        if "total" not in answer and len(found) >= limit > 1:
            raise Unknown("the answer holds no total: pages would be lost")
        return found, int(answer.get("total") or len(found))

    async def _raw_order(self, ref: str) -> Mapping[str, Any]:
        return await self.api.json_object("GET", f"{ORDERS_PATH}/{quote(ref, safe='')}")

    async def _refunds(self, order: Record) -> Sequence[Return]:
        """Read the returns and refunds of an order that was paid back; of others none."""
        return await self._returns(order) if names_refunds(order) else ()

    async def _returns(self, order: Record) -> Sequence[Return]:
        if not sold_on(order, self.settings.marketplace_ids):
            return ()
        await attach_returns(self.api, order)
        return parse_returns(order)

    def _ours(self, order: Mapping[str, Any]) -> Order | None:
        """Read an order; None for one that was bought on another marketplace."""
        return parse_order(order) if sold_on(order, self.settings.marketplace_ids) else None


def _seller(settings: EbaySettings) -> str:
    """Name the seller without its name, which the settings do not hold."""
    consent = settings.refresh_token.get_secret_value()
    return hashlib.sha256(f"{settings.client_id}:{consent}".encode()).hexdigest()[:16]


def _contact(order: Mapping[str, Any]) -> Contact | None:
    for each in records(order, "fulfillmentStartInstructions"):
        to = child(child(each, "shippingStep"), "shipTo")
        number = text(child(to, "primaryPhone"), "phoneNumber")
        found = shown_contact(text(to, "email"), number, text(to, "fullName"))
        if found is not None:
            return found
    return None
