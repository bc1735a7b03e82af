"""Saleor shops, over the GraphQL API (schema of Saleor 3.22; what is used is older).

The app needs the permissions ``MANAGE_ORDERS`` and ``MANAGE_PRODUCTS``. Its webhooks must be signed
as Saleor does by default: a detached JSON Web Signature under the keys at
``/.well-known/jwks.json`` of the shop. A webhook with the deprecated secret key is refused.

Quantities of one warehouse are set beside what the shop has allocated to orders. Serials travel in
the private metadata of a fulfillment (``serial_hub.serials``, by order line), beside our reference.

What came back, or was paid back, is a fulfillment of its own in Saleor; it is read as a return that
is done.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), fulfil from
several warehouses, stock a variant at a warehouse where it never was, pay back what it cancels, or
know the order that replaces another.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contact_fields import shown_contact
from connectors.contract import (
    CancelOrders,
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
from connectors.errors import AuthFailed, Conflict, NotFound, NotOurs, Unknown
from connectors.refunds import RefundOrders
from connectors.remote import Remote, RemoteApi
from connectors.saleor import documents
from connectors.saleor.fulfillment import push_fulfillment
from connectors.saleor.mapping import (
    ORDERS,
    RETURNS,
    VARIANTS,
    VariantStock,
    call_id,
    changed_at,
    execute,
    first_error,
    next_page,
    nodes,
    order_refs,
    parse_order,
    parse_returns,
    parse_variant,
    untracked_ref,
    variant_stock,
)
from connectors.saleor.refunds import refund_order
from connectors.saleor.signature import ShopKeys
from connectors.stock_levels import bound, untracked
from connectors.toolkit.accounts import account_part, address_of
from connectors.toolkit.cursors import IncrementalCursor, stamp
from connectors.toolkit.json_fields import child, identity, text
from connectors.toolkit.page_size import page_size
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

ORDERS_PER_PAGE = 50
VARIANTS_PER_PAGE = 100
NEEDED = frozenset({"MANAGE_ORDERS", "MANAGE_PRODUCTS"})
BY_CHANGE = {"field": "LAST_MODIFIED_AT", "direction": "ASC"}
BY_BIRTH = {"field": "CREATED_AT", "direction": "ASC"}
DAY = timedelta(days=1)


class SaleorSettings(BaseModel):
    """One shop and one of its warehouses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl = Field(description="The API: https://shop.example/graphql/")
    app_token: SecretStr = Field(description="Of an app with MANAGE_ORDERS and MANAGE_PRODUCTS")
    warehouse_id: str = Field(min_length=1, description="Its global id, as V2FyZWhvdXNlOi…")
    channels: tuple[str, ...] = Field(
        (), description="Slugs: take only what was sold in these channels; empty takes all"
    )
    notify_customer: bool = False
    calls_per_second: float = Field(8.0, gt=0)


class Saleor(
    Connector[SaleorSettings],
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
    """One shop: its orders, and the stock of one warehouse."""

    shows_serials: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset(
        {LineKind.DIGITAL, LineKind.GIFT_CARD}
    )
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD}
    )
    states_drafts: ClassVar[bool] = True

    key: ClassVar[str] = "saleor"
    settings_model: ClassVar[type[BaseModel]] = SaleorSettings
    pages_shrink: ClassVar[bool] = True
    refunds_are_returns: ClassVar[bool] = False  # they stand beside the fulfillments
    levels_max: ClassVar[int] = 50

    def __init__(self, settings: SaleorSettings, api: RemoteApi) -> None:
        super().__init__(settings, api)
        self._keys = ShopKeys()

    @classmethod
    def account(cls, settings: SaleorSettings) -> Sequence[str]:
        """Name the shop at each of its channels, or at all."""
        shop = address_of(settings.url)
        return tuple(account_part(shop, each) for each in settings.channels or ("",))

    @classmethod
    def remote(cls, settings: SaleorSettings) -> Remote:
        """Describe the API of the shop."""
        return Remote(
            base_url=str(settings.url).removesuffix(settings.url.path or "").rstrip("/"),
            headers={"authorization": f"Bearer {settings.app_token.get_secret_value()}"},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read who the app is, what it may do, and the warehouse."""
        data = await self._execute(documents.CHECK, warehouse=self.settings.warehouse_id)
        app = data["app"]
        if app is None or app["isActive"] is False:
            raise AuthFailed("the token is not that of an active app")
        missing = NEEDED - {each["code"] for each in app["permissions"] or ()}
        if missing:
            raise AuthFailed(f"the app lacks the permissions {', '.join(sorted(missing))}")
        if data["warehouse"] is None:
            raise NotFound(f"the shop has no warehouse {self.settings.warehouse_id}")

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next orders by their time of change."""
        found, position, more = await self._changed(documents.ORDERS, cursor)
        orders = ORDERS.each(found, self._ours)
        return Page(orders.items, position.cursor(), more, orders.unreadable)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its global id."""
        order = (await self._execute(documents.ORDER, id=ref))["order"]
        if order is None:
            raise NotFound(f"no order {ref}")
        read = ORDERS.one(order, self._ours, ref)
        if read is None:
            raise NotOurs(f"order {ref} belongs to another channel of the shop")
        return read

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return what came back of the next orders, by their time of change."""
        found, position, more = await self._changed(documents.CHANGED, cursor)
        returns = RETURNS.each_of_many(found, self._returns)
        return Page(returns.items, position.cursor(), more, returns.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read what came back of one order."""
        order = (await self._execute(documents.FULFILLMENTS, id=order_ref))["order"]
        if order is None:
            raise NotFound(f"no order {order_ref}")
        return RETURNS.one(order, self._returns, order_ref)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read the address that an order was placed with."""
        order = (await self._execute(documents.BUYER, id=order_ref))["order"]
        if order is None:
            raise NotFound(f"no order {order_ref}")
        return ORDERS.one(order, _contact, order_ref)

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel an order, unless it is cancelled; its money is for a person to pay back."""
        order = (await self._execute(documents.ORDER, id=cancellation.order_ref))["order"]
        if order is None:
            raise NotFound(f"no order {cancellation.order_ref}")
        if order["status"] != "CANCELED":
            data = await self._execute(documents.CANCEL, repeat=False, id=cancellation.order_ref)
            if refusal := first_error(data["orderCancel"]["errors"]):
                raise refusal
        return f"Saleor order {order['number']}"

    async def refund_order(self, refund: Refund) -> str:
        """Grant a refund by line and amount, and request it of the payment app."""
        order = (await self._execute(documents.PAYMENTS, id=refund.order_ref))["order"]
        if order is None:
            raise NotFound(f"no order {refund.order_ref}")
        return await refund_order(self._execute, order, refund)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order created in the window; the shop filters by whole days."""
        first, last = since.astimezone(UTC) - DAY, until.astimezone(UTC) + DAY
        wanted = {"created": {"gte": first.date().isoformat(), "lte": last.date().isoformat()}}
        after: str | None = None
        while True:
            found = await self._orders(documents.ORDERS, wanted, BY_BIRTH, after)
            orders = ORDERS.each(nodes(found), self._ours)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable
            after = next_page(found)
            if after is None:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what is on hand and not allocated, for every tracked variant of the warehouse."""
        after: str | None = None
        parse = partial(parse_variant, warehouse=self.settings.warehouse_id)
        while True:
            found = await self._variants(None, after)
            for variant in nodes(found):
                for level in VARIANTS.either(variant, parse):
                    yield level
            after = next_page(found)
            if after is None:
                return

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set what is on hand so that the wanted quantity is available beside what is allocated."""
        able, lost = bound(levels, "variant_id")
        return [*lost, *(await self._push(able) if able else [])]

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Create the fulfillment that is not there yet, and name the serials in its metadata."""
        ref = await push_fulfillment(
            self._execute,
            fulfillment,
            self.settings.warehouse_id,
            notify=self.settings.notify_customer,
        )
        return f"Saleor fulfilment {ref}"

    async def prepare(self, headers: Mapping[str, str]) -> None:
        """Fetch the keys of the shop, where a webhook names one that is not known."""
        await self._keys.fetch(self.api, headers)

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Check the signature over the raw body."""
        self._keys.verify(headers, body)
        ref = call_id(body, received_at.isoformat())
        return WebhookCall(ref, headers.get("saleor-event", "").lower())

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order of an event."""
        return order_refs(topic, body)

    def _ours(self, order: Mapping[str, Any]) -> Order | None:
        """Read an order; None for one of another channel of the shop."""
        return parse_order(order) if self._is_ours(order) else None

    def _returns(self, order: Mapping[str, Any]) -> list[Return]:
        return parse_returns(order) if self._is_ours(order) else []

    def _is_ours(self, order: Mapping[str, Any]) -> bool:
        ours = self.settings.channels
        return not ours or text(child(order, "channel"), "slug") in ("", *ours)

    async def _execute(self, document: str, *, repeat: bool = True, **variables: Any) -> Any:
        path = self.settings.url.path or "/graphql/"
        return await execute(self.api, path, document, repeat=repeat, **variables)

    async def _orders(
        self, document: str, wanted: Mapping[str, Any], sort: Mapping[str, str], after: str | None
    ) -> Any:
        data = await self._execute(
            document, first=page_size(ORDERS_PER_PAGE), after=after, filter=wanted, sort=sort
        )
        return data["orders"]

    async def _changed(
        self, document: str, cursor: str
    ) -> tuple[list[Mapping[str, Any]], IncrementalCursor, bool]:
        position = IncrementalCursor.resume(cursor, datetime.now(UTC))
        wanted = {"updatedAt": {"gte": stamp(position.since)}} if position.since else {}
        found = await self._orders(document, wanted, BY_CHANGE, position.after)
        newest = ORDERS.newest(nodes(found), changed_at)
        following, more = position.step(newest, next_page(found))
        return nodes(found), following, more

    async def _variants(self, ids: Sequence[str] | None, after: str | None) -> Any:
        asked: dict[str, Any] = {"first": VARIANTS_PER_PAGE, "after": after}
        if ids is not None:
            asked["ids"] = list(ids)
        return (await self._execute(documents.VARIANTS, **asked))["productVariants"]

    async def _push(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        warehouse = self.settings.warehouse_id
        found = nodes(await self._variants([level.remote["variant_id"] for level in levels], None))
        shelves = VARIANTS.keyed(
            found, lambda each: (identity(each, "id"), variant_stock(each, warehouse))
        )
        loose = VARIANTS.each(found, untracked_ref).items
        answers, wanted = list[PushedLevel](), list[tuple[StockLevel, VariantStock]]()
        for level in levels:
            shelf = shelves.get(level.remote["variant_id"])
            if isinstance(shelf, Unreadable):
                answers.append(PushedLevel(level.listing, error=shelf))
            elif level.remote["variant_id"] in loose:
                refused = untracked(f"variant {level.remote['variant_id']}")
                answers.append(PushedLevel(level.listing, error=refused))
            elif shelf is None:
                lost = NotFound(f"the warehouse holds no {level.remote['variant_id']}")
                answers.append(PushedLevel(level.listing, error=lost))
            elif shelf.available == level.available:
                answers.append(PushedLevel(level.listing, level.available))
            elif level.expected not in (None, shelf.available):
                moved = Conflict("the quantity has changed", observed=shelf.available)
                answers.append(PushedLevel(level.listing, error=moved))
            else:
                wanted.append((level, shelf))
        return [*answers, *await self._set(wanted)]

    async def _set(self, wanted: Sequence[tuple[StockLevel, VariantStock]]) -> list[PushedLevel]:
        if not wanted:
            return []
        stocks = [
            {
                "variantId": level.remote["variant_id"],
                "warehouseId": self.settings.warehouse_id,
                "quantity": level.available + shelf.allocated,
            }
            for level, shelf in wanted
        ]
        # Absolute, and compared before: to repeat it at once is safe.
        answer = (await self._execute(documents.SET_STOCK, stocks=stocks))["stockBulkUpdate"]
        results = answer["results"]
        if len(results) != len(wanted):
            raise first_error(answer["errors"]) or Unknown("Saleor does not answer for each level")
        # In the order of what was sent; an order that came in between shows here at once.
        return [_pushed(level, result) for (level, _), result in zip(wanted, results, strict=True)]


def _pushed(level: StockLevel, result: Mapping[str, Any]) -> PushedLevel:
    if refusal := first_error(result["errors"]):
        return PushedLevel(level.listing, error=refusal)
    stock = result["stock"]
    if stock is None or stock["productVariant"]["id"] != level.remote["variant_id"]:
        return PushedLevel(level.listing, error=Unknown("Saleor answers for another variant"))
    return PushedLevel(level.listing, stock["quantity"] - stock["quantityAllocated"])


def _contact(order: Mapping[str, Any]) -> Contact | None:
    billed = child(order, "billingAddress")
    name = f"{text(billed, 'firstName')} {text(billed, 'lastName')}"
    return shown_contact(text(order, "userEmail"), text(billed, "phone"), name)
